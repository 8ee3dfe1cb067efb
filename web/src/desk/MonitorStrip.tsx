import { Button, SegmentedControl } from '@mantine/core';
import { IconEar, IconPlayerStop } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import { can, useCore, useMe, usePhone } from '~/app/context';
import type { MonitorMode } from '~/phone/protocol';
import { toastError } from '~/ui/toast';
import css from './phonebar.module.css';

/** While a supervisor is in a talk: the mode in words, and the way out. */
export function MonitorStrip() {
  const { t } = useTranslation();
  const core = useCore();
  const me = useMe();
  const m = usePhone((s) => s.monitor);
  if (!m) return null;
  const modes = (['listen', 'whisper', 'barge'] as const).filter((x) => can(me, `monitor.${x}`));
  return (
    <div className={css.monitor} role="status">
      <IconEar size={19} />
      <span>{t(`monitor.now.${m.mode}`)}</span>
      <SegmentedControl
        size="xs"
        aria-label={t('monitor.mode')}
        value={m.mode}
        onChange={(v) => core.monitorMode(v as MonitorMode).catch(toastError)}
        data={modes.map((x) => ({ value: x, label: t(`monitor.${x}`) }))}
      />
      <Button
        size="compact-sm"
        variant="default"
        leftSection={<IconPlayerStop size={15} />}
        onClick={() => core.stopMonitor().catch(toastError)}
      >
        {t('monitor.stop')}
      </Button>
    </div>
  );
}
