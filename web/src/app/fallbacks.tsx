import { Button } from '@mantine/core';
import { IconMapOff } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { Empty, ErrorState } from '~/ui/bits';

export function NotFound() {
  const { t } = useTranslation();
  return (
    <Empty icon={IconMapOff} title={t('notfound.title')} text={t('notfound.text')}>
      <Button component={Link} to="/" variant="default">
        {t('notfound.home')}
      </Button>
    </Empty>
  );
}

/** A page that broke: the telephone bar above goes on working. */
export function Crashed({ error, reset }: { error: unknown; reset: () => void }) {
  return <ErrorState error={error} retry={reset} />;
}
