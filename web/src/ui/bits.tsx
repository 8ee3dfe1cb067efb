// Small pieces that every page uses: pills, avatars, empty and error states, running timers.

import { Button, Loader, Tooltip } from '@mantine/core';
import { IconAlertTriangle, IconMoodEmpty, IconRefresh } from '@tabler/icons-react';
import { type ComponentType, type ReactNode, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { explain } from '~/api/problems';
import { clock, full, initials, phone } from '~/lib/format';
import css from './ui.module.css';

export type Tone = 'neutral' | 'green' | 'blue' | 'amber' | 'yellow' | 'violet' | 'teal' | 'red';
export type IconType = ComponentType<{ size?: number | string; stroke?: number; className?: string }>;

/** A state: colour, icon and word together. */
export function Pill({
  tone,
  icon: Icon,
  children,
  title,
  plain,
}: {
  tone: Tone;
  icon?: IconType;
  children: ReactNode;
  title?: string;
  plain?: boolean;
}) {
  return (
    <span className={css.pill} data-tone={tone} data-plain={plain || undefined} title={title}>
      {Icon ? <Icon size={14} stroke={2.2} /> : <span className={css.dot} />}
      <span>{children}</span>
    </span>
  );
}

const TONES: Tone[] = ['teal', 'blue', 'violet', 'amber', 'green', 'neutral'];

export function Avatar({ name, size = 34 }: { name: string; size?: number }) {
  let sum = 0;
  for (const c of name) sum = (sum * 31 + (c.codePointAt(0) ?? 0)) % 997;
  return (
    <span
      className={css.avatar}
      data-tone={TONES[sum % TONES.length]}
      style={{ width: size, height: size, fontSize: size * 0.38 }}
      aria-hidden
    >
      {initials(name)}
    </span>
  );
}

export function Phone({ value }: { value: string | undefined | null }) {
  return (
    <span className="tnum" style={{ whiteSpace: 'nowrap' }}>
      {phone(value)}
    </span>
  );
}

/** An instant in short, with the exact one on hover. */
export function When({ at, children }: { at: string | number | null | undefined; children: ReactNode }) {
  if (!at) return null;
  return (
    <Tooltip label={full(at)}>
      <time dateTime={new Date(at).toISOString()}>{children}</time>
    </Tooltip>
  );
}

export function Loading({ label }: { label?: string }) {
  const { t } = useTranslation();
  return (
    <div className={css.state} role="status">
      <Loader size="sm" />
      <p>{label ?? t('common.loading')}</p>
    </div>
  );
}

export function Empty({
  icon: Icon = IconMoodEmpty,
  title,
  text,
  tone = 'neutral',
  children,
}: {
  icon?: IconType;
  title: string;
  text?: string;
  tone?: Tone;
  children?: ReactNode;
}) {
  return (
    <div className={css.state}>
      <span className={css.stateIcon} data-tone={tone}>
        <Icon size={26} stroke={1.7} />
      </span>
      <h3>{title}</h3>
      {text ? <p>{text}</p> : null}
      {children}
    </div>
  );
}

export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useTranslation();
  const e = explain(error);
  return (
    <div className={css.state} role="alert">
      <span className={css.stateIcon} data-tone="red">
        <IconAlertTriangle size={26} stroke={1.7} />
      </span>
      <h3>{e.title}</h3>
      {e.detail ? <p>{e.detail}</p> : null}
      {e.trace ? <p className="tnum">{t('common.trace', { id: e.trace })}</p> : null}
      {retry ? (
        <Button variant="default" leftSection={<IconRefresh size={16} />} onClick={retry}>
          {t('common.retry')}
        </Button>
      ) : null}
    </div>
  );
}

/** One clock for all running timers of the page. */
let tickers = new Set<() => void>();
let handle: ReturnType<typeof setInterval> | undefined;

export function useTick(on = true): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!on) return;
    const fn = () => setNow(Date.now());
    fn();
    tickers.add(fn);
    handle ??= setInterval(() => {
      for (const f of tickers) f();
    }, 1000);
    return () => {
      tickers.delete(fn);
      if (tickers.size > 0) return;
      clearInterval(handle);
      handle = undefined;
      tickers = new Set();
    };
  }, [on]);
  return now;
}

/** Time since an instant of the server's clock. Silent for screen readers, readable when they ask. */
export function Since({ at, offset = 0 }: { at: number | undefined; offset?: number }) {
  const now = useTick();
  if (!at) return null;
  return (
    <span className="tnum" role="timer" aria-live="off">
      {clock((now + offset - at) / 1000)}
    </span>
  );
}

/** Seconds left until an instant of the server's clock. */
export function useLeft(until: number | undefined, offset: number): number {
  const now = useTick(until !== undefined);
  return until === undefined ? 0 : Math.max(0, Math.ceil((until - now - offset) / 1000));
}

/** A table wider than its place scrolls sideways, by keyboard too. */
export function Scroller({
  label,
  className = '',
  children,
}: {
  label: string;
  className?: string;
  children: ReactNode;
}) {
  return (
    <section className={`${css.scroller} ${className}`} tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}

export function PageHead({
  title,
  text,
  sub,
  children,
}: {
  title: string;
  text?: string;
  sub?: boolean;
  children?: ReactNode;
}) {
  return (
    <div className={css.pageHead}>
      <div>
        {sub ? <h2 style={{ fontSize: 17 }}>{title}</h2> : <h1>{title}</h1>}
        {text ? <p>{text}</p> : null}
      </div>
      {children}
    </div>
  );
}

export { css as uiCss };
