import '@fontsource-variable/inter';
import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import '@mantine/spotlight/styles.css';
import './app/global.css';

import { createRoot } from 'react-dom/client';
import { App } from './app/App';
import { startI18n } from './i18n';

async function main(): Promise<void> {
  await startI18n();
  const root = document.getElementById('root');
  if (root) createRoot(root).render(<App />);
}

void main();
