import { Popover, Tooltip, UnstyledButton } from '@mantine/core';
import {
  IconAntennaBars1,
  IconAntennaBars3,
  IconAntennaBars5,
  IconPlugConnectedX,
} from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import { usePhone } from '~/app/context';
import { onShift } from '~/phone/state';
import { Pill, type Tone, uiCss } from '~/ui/bits';

/** How the connection sounds: icon and word; the figures behind it on click. */
export function QualityIcon() {
  const { t } = useTranslation();
  const q = usePhone((s) => s.quality);
  const status = usePhone((s) => s.media.status);
  const owner = usePhone((s) => s.media.owner);
  const shift = usePhone(onShift);
  if (!shift || !owner) return null;
  const broken = status !== 'connected';
  const level = broken ? status : (q?.level ?? 'ready');
  const tone: Tone = broken
    ? status === 'attaching'
      ? 'amber'
      : 'red'
    : q?.level === 'poor'
      ? 'red'
      : q?.level === 'fair'
        ? 'amber'
        : 'green';
  const icon = broken
    ? IconPlugConnectedX
    : q?.level === 'poor'
      ? IconAntennaBars1
      : q?.level === 'fair'
        ? IconAntennaBars3
        : IconAntennaBars5;
  const warnings = [q?.silent && 'silent', q?.path === 'tcp' && 'tcp', q?.path === 'relay' && 'relay'].filter(
    Boolean,
  ) as string[];
  return (
    <Popover position="bottom-end" withArrow shadow="md" width={260}>
      <Popover.Target>
        <Tooltip label={t('quality.title')}>
          <UnstyledButton
            aria-label={`${t('quality.title')}: ${t(`quality.${level}`)}`}
            style={{ padding: 4 }}
          >
            <Pill tone={tone} icon={icon} plain>
              {t(`quality.${level}`)}
            </Pill>
          </UnstyledButton>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        {q ? (
          <dl className={uiCss.facts}>
            <dt>{t('quality.score')}</dt>
            <dd className="tnum">{q.score.toFixed(1)} / 4.5</dd>
            <dt>{t('quality.rtt')}</dt>
            <dd className="tnum">{t('unit.ms', { n: Math.round(q.rtt) })}</dd>
            <dt>{t('quality.jitter')}</dt>
            <dd className="tnum">{t('unit.ms', { n: Math.round(q.jitter) })}</dd>
            <dt>{t('quality.loss')}</dt>
            <dd className="tnum">{q.loss.toFixed(1)} %</dd>
            <dt>{t('quality.path')}</dt>
            <dd>{(q.path ?? 'udp').toUpperCase()}</dd>
          </dl>
        ) : (
          <span>{t(`quality.text.${broken ? status : 'ready'}`)}</span>
        )}
        {warnings.map((w) => (
          <p key={w} style={{ margin: '8px 0 0', fontSize: 13 }}>
            {t(`quality.warn.${w}`)}
          </p>
        ))}
      </Popover.Dropdown>
    </Popover>
  );
}
