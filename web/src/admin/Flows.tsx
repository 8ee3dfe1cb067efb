import { IconAlertTriangle, IconCircleCheck, IconCircleX, IconSitemap } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { flowsQuery } from '~/api/queries';
import type { FlowInfo } from '~/api/types';
import { local } from '~/i18n';
import { Empty, ErrorState, Loading, PageHead, Pill, uiCss } from '~/ui/bits';
import css from './admin.module.css';

/** The voice menus that are on, and what is wrong with their files. */
export function FlowsPage() {
  const { t } = useTranslation();
  const flows = useQuery({ ...flowsQuery, refetchInterval: 10_000 });
  return (
    <div className={uiCss.page}>
      <PageHead title={t('admin.nav.flows')} text={t('admin.flows.text')} />
      {flows.isPending ? <Loading /> : null}
      {flows.isError ? <ErrorState error={flows.error} retry={() => void flows.refetch()} /> : null}
      {flows.data?.length === 0 ? (
        <section className={uiCss.card}>
          <Empty icon={IconSitemap} title={t('admin.flows.none')} text={t('admin.flows.noneText')} />
        </section>
      ) : null}
      {(flows.data ?? []).map((f) => (
        <Flow key={f.id} flow={f} />
      ))}
    </div>
  );
}

function Flow({ flow: f }: { flow: FlowInfo }) {
  const { t } = useTranslation();
  const problems = f.problems ?? [];
  const errors = problems.filter((p) => p.severity === 'error').length;
  return (
    <section className={uiCss.card}>
      <div className={uiCss.cardHead} style={{ flexWrap: 'wrap' }}>
        <h2>
          {local(f.title, f.id)}{' '}
          <span className="dim" style={{ fontWeight: 500 }}>
            {f.id}
          </span>
        </h2>
        {(f.languages ?? []).map((l) => (
          <Pill key={l} tone="neutral">
            {t(`lang.${l}`, { defaultValue: l.toUpperCase() })}
          </Pill>
        ))}
        {f.live_callers > 0 ? (
          <Pill tone="blue">{t('admin.flows.callers', { count: f.live_callers })}</Pill>
        ) : null}
        {problems.length === 0 ? (
          <Pill tone="green" icon={IconCircleCheck}>
            {t('admin.flows.good')}
          </Pill>
        ) : (
          <Pill tone={errors > 0 ? 'red' : 'amber'} icon={errors > 0 ? IconCircleX : IconAlertTriangle}>
            {t('admin.flows.problems', { count: problems.length })}
          </Pill>
        )}
      </div>
      <div className={uiCss.cardBody}>
        <div className="dim" style={{ fontSize: 13 }}>
          {t('admin.flows.version', { v: f.version.slice(0, 12) })}
        </div>
        {problems.map((p) => (
          <div key={`${p.file}:${p.line}:${p.code}:${p.node ?? ''}`} className={css.problem}>
            <span
              style={{
                color: p.severity === 'error' ? 'var(--t-red-solid)' : 'var(--t-amber-solid)',
                lineHeight: 0,
                paddingTop: 2,
              }}
              role="img"
              aria-label={t(`admin.flows.${p.severity === 'error' ? 'error' : 'warning'}`)}
            >
              {p.severity === 'error' ? <IconCircleX size={18} /> : <IconAlertTriangle size={18} />}
            </span>
            <div>
              <code>
                {p.file}:{p.line}
                {p.col ? `:${p.col}` : ''}
              </code>{' '}
              <span className="dim">
                {p.code}
                {p.node ? ` · ${p.node}` : ''}
              </span>
              <p>{p.msg}</p>
              {p.fix ? <p className="dim">{t('admin.flows.fix', { fix: p.fix })}</p> : null}
            </div>
          </div>
        ))}
      </div>
    </section>
  );
}
