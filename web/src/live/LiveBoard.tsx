// The centre now: queues, agents, calls; and what a supervisor may do about them.

import { IconClockExclamation } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import type { AgentStat, QueueStat } from '~/api/types';
import { clock, percent, span } from '~/lib/format';
import { Empty, ErrorState, Loading, PageHead, Pill, Scroller, type Tone, uiCss } from '~/ui/bits';
import { AgentsTable } from './AgentsTable';
import { CallsList } from './CallsList';
import css from './live.module.css';
import { useLive } from './useLive';

export function LiveBoard() {
  const { t } = useTranslation();
  const live = useLive();
  if (!live.ready) return live.error ? <ErrorState error={live.error} /> : <Loading />;
  const stale = live.staleS !== null;
  const hatch = stale ? 'hatched' : '';
  return (
    <div className={css.board}>
      <PageHead title={t('live.title')}>
        {stale ? (
          <span role="alert">
            <Pill tone="amber" icon={IconClockExclamation}>
              {t('live.stale', { span: span(live.staleS ?? 0) })}
            </Pill>
          </span>
        ) : (
          <Pill tone="green">{t('live.fresh')}</Pill>
        )}
      </PageHead>
      <Tiles queues={live.queues} agents={live.agents} hatch={hatch} />
      <Queues queues={live.queues} hatch={hatch} />
      <div className={css.cols}>
        <AgentsTable agents={live.agents} calls={live.calls} hatch={hatch} />
        <CallsList calls={live.calls} agents={live.agents} queues={live.queues} hatch={hatch} />
      </div>
    </div>
  );
}

/** Over two minutes is a warning, over five is critical: the starting set of alerts. */
export function waitTone(seconds: number): Tone {
  return seconds > 300 ? 'red' : seconds > 120 ? 'amber' : 'green';
}

function slTone(v: number | null): Tone {
  return v === null ? 'neutral' : v < 60 ? 'red' : v < 80 ? 'amber' : 'green';
}

function Tile({
  label,
  value,
  hint,
  tone,
  hatch,
}: {
  label: string;
  value: string;
  hint?: string;
  tone: Tone;
  hatch: string;
}) {
  return (
    <div className={`${css.tile} ${hatch}`} data-tone={tone}>
      <small>{label}</small>
      <b className="tnum">{value}</b>
      {hint ? <span>{hint}</span> : null}
    </div>
  );
}

function Tiles({ queues, agents, hatch }: { queues: QueueStat[]; agents: AgentStat[]; hatch: string }) {
  const { t } = useTranslation();
  const sum = (f: (q: QueueStat) => number) => queues.reduce((n, q) => n + f(q), 0);
  const waiting = sum((q) => q.waiting);
  const longest = Math.max(0, ...queues.map((q) => q.longest_s));
  const answered = sum((q) => q.answered);
  const abandoned = sum((q) => q.abandoned);
  const staffed = agents.filter((a) => a.state !== 'offline').length;
  const free = agents.filter((a) => a.state === 'available').length;
  const withSl = queues.filter((q) => q.sl_pct !== null);
  const weight = withSl.reduce((n, q) => n + q.answered + q.abandoned, 0);
  const sl =
    weight > 0 ? withSl.reduce((n, q) => n + (q.sl_pct ?? 0) * (q.answered + q.abandoned), 0) / weight : null;
  return (
    <section className={css.tiles} aria-label={t('live.summary')}>
      <Tile
        hatch={hatch}
        tone={waiting > 2 * free + 3 ? 'red' : waiting > 0 ? 'amber' : 'green'}
        label={t('live.waiting')}
        value={String(waiting)}
        hint={t('live.waitingHint')}
      />
      <Tile
        hatch={hatch}
        tone={waitTone(longest)}
        label={t('live.longest')}
        value={clock(longest)}
        hint={t('live.longestHint')}
      />
      <Tile
        hatch={hatch}
        tone={free > 0 ? 'green' : 'amber'}
        label={t('live.available')}
        value={`${free} / ${staffed}`}
        hint={t('live.availableHint')}
      />
      <Tile
        hatch={hatch}
        tone="blue"
        label={t('live.answered')}
        value={String(answered)}
        hint={t('live.today')}
      />
      <Tile
        hatch={hatch}
        tone={abandoned > 0 ? 'amber' : 'green'}
        label={t('live.abandoned')}
        value={String(abandoned)}
        hint={t('live.today')}
      />
      <Tile
        hatch={hatch}
        tone={slTone(sl)}
        label={t('live.sl')}
        value={percent(sl)}
        hint={t('live.slHint')}
      />
    </section>
  );
}

function Queues({ queues, hatch }: { queues: QueueStat[]; hatch: string }) {
  const { t } = useTranslation();
  return (
    <section className={uiCss.card}>
      <div className={uiCss.cardHead}>
        <h2>{t('live.queues')}</h2>
      </div>
      {queues.length === 0 ? <Empty title={t('live.noQueues')} /> : null}
      {queues.length > 0 ? (
        <Scroller label={t('live.queues')} className={hatch}>
          <table className={uiCss.table}>
            <thead>
              <tr>
                <th>{t('live.queue')}</th>
                <th className={uiCss.num}>{t('live.col.waiting')}</th>
                <th className={uiCss.num}>{t('live.col.longest')}</th>
                <th className={uiCss.num}>{t('live.col.free')}</th>
                <th className={uiCss.num}>{t('live.col.talking')}</th>
                <th className={uiCss.num}>{t('live.col.answered')}</th>
                <th className={uiCss.num}>{t('live.col.abandoned')}</th>
                <th className={uiCss.num}>{t('live.col.avg')}</th>
                <th className={uiCss.num}>{t('live.col.sl')}</th>
              </tr>
            </thead>
            <tbody>
              {queues.map((q) => (
                <tr key={q.key}>
                  <td style={{ fontWeight: 600 }}>{q.name || q.key}</td>
                  <td className={uiCss.num}>{q.waiting}</td>
                  <td
                    className={`${uiCss.num} ${q.longest_s > 300 ? css.hot : q.longest_s > 120 ? css.warm : ''}`}
                  >
                    {q.waiting > 0 ? clock(q.longest_s) : '–'}
                  </td>
                  <td className={uiCss.num}>
                    {q.available} <span className="dim">/ {q.staffed}</span>
                  </td>
                  <td className={uiCss.num}>{q.talking}</td>
                  <td className={uiCss.num}>{q.answered}</td>
                  <td className={uiCss.num}>{q.abandoned}</td>
                  <td className={uiCss.num}>{q.avg_wait_s === null ? '–' : clock(q.avg_wait_s)}</td>
                  <td
                    className={`${uiCss.num} ${q.sl_pct !== null && q.sl_pct < 60 ? css.hot : q.sl_pct !== null && q.sl_pct < 80 ? css.warm : ''}`}
                  >
                    {percent(q.sl_pct)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroller>
      ) : null}
    </section>
  );
}
