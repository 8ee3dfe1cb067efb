import { Button } from '@mantine/core';
import { IconPlayerRecord, IconPlus, IconUsersGroup } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { queuesQuery } from '~/api/queries';
import type { QueueSettings } from '~/api/types';
import { Empty, PageHead, Pill, uiCss } from '~/ui/bits';
import css from './admin.module.css';
import { Editor, TableCard } from './parts';
import { QueueForm } from './QueueForm';

export function QueuesPage() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const queues = useQuery(queuesQuery);
  const [editing, setEditing] = useState<QueueSettings | 'new' | null>(null);
  const done = () => {
    setEditing(null);
    void client.invalidateQueries({ queryKey: queuesQuery.queryKey });
  };
  const current = editing === 'new' ? null : editing;
  const s = (n: number) => t('unit.s', { n });
  return (
    <div className={uiCss.page}>
      <PageHead title={t('admin.nav.queues')} text={t('admin.queues.text')}>
        <Button leftSection={<IconPlus size={16} />} onClick={() => setEditing('new')}>
          {t('admin.queues.add')}
        </Button>
      </PageHead>
      <TableCard
        query={queues}
        label={t('admin.nav.queues')}
        empty={
          queues.data?.length === 0 ? (
            <Empty icon={IconUsersGroup} title={t('admin.queues.none')} text={t('admin.queues.noneText')} />
          ) : undefined
        }
      >
        <thead>
          <tr>
            <th>{t('live.queue')}</th>
            <th>{t('admin.queues.f.strategy')}</th>
            <th>{t('admin.queues.f.team')}</th>
            <th className={uiCss.num}>{t('admin.queues.f.ring_timeout_s')}</th>
            <th className={uiCss.num}>{t('admin.queues.f.wrapup_s')}</th>
            <th>{t('admin.queues.goal')}</th>
            <th>{t('admin.queues.f.record')}</th>
          </tr>
        </thead>
        <tbody>
          {(queues.data ?? []).map((q) => (
            <tr key={q.key}>
              <td style={{ lineHeight: 1.25 }}>
                <button type="button" className={css.rowLink} onClick={() => setEditing(q)}>
                  {q.name || q.key}
                </button>
                <div className="dim" style={{ fontSize: 12 }}>
                  {q.key}
                </div>
              </td>
              <td>{t(`admin.queues.strategy.${q.strategy}`, { defaultValue: q.strategy })}</td>
              <td>{q.team}</td>
              <td className={uiCss.num}>{s(q.ring_timeout_s || 20)}</td>
              <td className={uiCss.num}>{s(q.wrapup_s)}</td>
              <td className="tnum">
                {t('admin.queues.goalValue', { pct: q.sl_target || 80, s: q.sl_threshold_s || 20 })}
              </td>
              <td>
                {q.record === 'never' ? (
                  <Pill tone="neutral" icon={IconPlayerRecord}>
                    {t('admin.queues.record.never')}
                  </Pill>
                ) : (
                  <Pill tone="red" icon={IconPlayerRecord}>
                    {t('admin.queues.record.always')}
                  </Pill>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </TableCard>
      <Editor
        opened={editing !== null}
        onClose={() => setEditing(null)}
        title={current ? current.name || current.key : t('admin.queues.add')}
      >
        <QueueForm queue={current} onDone={done} onClose={() => setEditing(null)} />
      </Editor>
    </div>
  );
}
