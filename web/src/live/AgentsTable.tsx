import { ActionIcon, Button, Group, Menu, Modal, Stack, TextInput, Tooltip } from '@mantine/core';
import {
  IconCheck,
  IconCoffee,
  IconDots,
  IconEar,
  IconPlayerPlay,
  IconPower,
  IconWifiOff,
} from '@tabler/icons-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { AgentStat, CallStat } from '~/api/types';
import { can, useCore, useMe, usePhone } from '~/app/context';
import { StatePill } from '~/desk/stateLook';
import { phone } from '~/lib/format';
import { Avatar, Empty, Scroller, Since, uiCss } from '~/ui/bits';
import { toast, toastError } from '~/ui/toast';
import css from './live.module.css';

type Op = 'pause' | 'resume' | 'offline' | 'acw_end';

const ORDER = [
  'error',
  'lost_call',
  'lost',
  'talking',
  'conference',
  'consulting',
  'held',
  'ringing',
  'dialing',
  'acw',
  'available',
  'busy_other',
  'paused',
  'offline',
];

export function AgentsTable({
  agents,
  calls,
  hatch,
}: {
  agents: AgentStat[];
  calls: CallStat[];
  hatch: string;
}) {
  const { t } = useTranslation();
  const me = useMe();
  const policy = usePhone((s) => s.policy);
  const offset = usePhone((s) => s.offset);
  const [ask, setAsk] = useState<{ agent: AgentStat; op: Op } | null>(null);
  const sorted = [...agents].sort(
    (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.name.localeCompare(b.name),
  );
  return (
    <section className={uiCss.card}>
      <div className={uiCss.cardHead}>
        <h2>{t('live.agents')}</h2>
      </div>
      {agents.length === 0 ? <Empty title={t('live.noAgents')} /> : null}
      {agents.length > 0 ? (
        <Scroller label={t('live.agents')} className={hatch}>
          <table className={uiCss.table}>
            <thead>
              <tr>
                <th>{t('live.agent')}</th>
                <th>{t('live.state')}</th>
                <th className={uiCss.num}>{t('live.since')}</th>
                <th>{t('live.with')}</th>
                <th aria-label={t('live.actions')} />
              </tr>
            </thead>
            <tbody>
              {sorted.map((a) => {
                const call = calls.find(
                  (c) => c.call === a.call || (c.agent === a.login && c.state === 'talking'),
                );
                return (
                  <tr key={a.login}>
                    <td>
                      <Group gap={10} wrap="nowrap">
                        <Avatar name={a.name} size={30} />
                        <div style={{ lineHeight: 1.25, minWidth: 90 }}>
                          <b style={{ fontWeight: 600 }}>{a.name}</b>
                          <div className="dim" style={{ fontSize: 12 }}>
                            {a.kind === 'desk' ? t('live.deskPhone') : a.login}
                          </div>
                        </div>
                        {!a.online && a.state !== 'offline' ? (
                          <Tooltip label={t('live.noConnection')}>
                            <span
                              role="img"
                              aria-label={t('live.noConnection')}
                              style={{ color: 'var(--t-red-solid)', lineHeight: 0 }}
                            >
                              <IconWifiOff size={17} />
                            </span>
                          </Tooltip>
                        ) : null}
                      </Group>
                    </td>
                    <td>
                      <StatePill state={a.state} reason={a.reason} policy={policy} />
                    </td>
                    <td className={uiCss.num}>
                      {a.state === 'offline' ? '' : <Since at={a.since} offset={offset} />}
                    </td>
                    <td style={{ whiteSpace: 'nowrap' }}>{call ? call.from_name || phone(call.from) : ''}</td>
                    <td>
                      <div className={css.actions}>
                        <ListenButton agent={a} />
                        {can(me, 'agent.force') && a.state !== 'offline' ? (
                          <Menu position="bottom-end">
                            <Menu.Target>
                              <ActionIcon aria-label={t('live.actionsFor', { who: a.name })}>
                                <IconDots size={18} />
                              </ActionIcon>
                            </Menu.Target>
                            <Menu.Dropdown>
                              {a.state === 'paused' || a.state === 'error' ? (
                                <Menu.Item
                                  leftSection={<IconPlayerPlay size={16} />}
                                  onClick={() => setAsk({ agent: a, op: 'resume' })}
                                >
                                  {t('live.op.resume')}
                                </Menu.Item>
                              ) : (
                                <Menu.Item
                                  leftSection={<IconCoffee size={16} />}
                                  onClick={() => setAsk({ agent: a, op: 'pause' })}
                                >
                                  {t('live.op.pause')}
                                </Menu.Item>
                              )}
                              {a.state === 'acw' ? (
                                <Menu.Item
                                  leftSection={<IconCheck size={16} />}
                                  onClick={() => setAsk({ agent: a, op: 'acw_end' })}
                                >
                                  {t('live.op.acw_end')}
                                </Menu.Item>
                              ) : null}
                              <Menu.Item
                                leftSection={<IconPower size={16} />}
                                onClick={() => setAsk({ agent: a, op: 'offline' })}
                              >
                                {t('live.op.offline')}
                              </Menu.Item>
                            </Menu.Dropdown>
                          </Menu>
                        ) : null}
                      </div>
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </Scroller>
      ) : null}
      {ask ? <ForceDialog ask={ask} onClose={() => setAsk(null)} /> : null}
    </section>
  );
}

function ListenButton({ agent }: { agent: AgentStat }) {
  const { t } = useTranslation();
  const core = useCore();
  const me = useMe();
  const busy = usePhone((s) => s.monitor !== null);
  const inTalk = ['talking', 'held', 'conference', 'consulting'].includes(agent.state);
  if (!can(me, 'monitor.listen') || !inTalk || agent.login === me.login) return null;
  return (
    <Tooltip label={t('live.listenHint')}>
      <ActionIcon
        variant="light"
        color="petrol"
        disabled={busy}
        aria-label={t('live.listenTo', { who: agent.name })}
        onClick={() =>
          core.monitor(agent.call ? { call: agent.call } : { agent: agent.login }).catch(toastError)
        }
      >
        <IconEar size={18} />
      </ActionIcon>
    </Tooltip>
  );
}

/** A supervisor's word over an agent's state: the agent sees who and why. */
function ForceDialog({ ask, onClose }: { ask: { agent: AgentStat; op: Op }; onClose: () => void }) {
  const { t } = useTranslation();
  const core = useCore();
  const [reason, setReason] = useState('');
  const [busy, setBusy] = useState(false);
  const go = () => {
    setBusy(true);
    core
      .supAgent(ask.agent.login, ask.op, reason.trim())
      .then(() => {
        toast(t('live.done'));
        onClose();
      })
      .catch(toastError)
      .finally(() => setBusy(false));
  };
  return (
    <Modal opened onClose={onClose} title={t(`live.opTitle.${ask.op}`, { who: ask.agent.name })} size="sm">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          go();
        }}
      >
        <Stack gap="md">
          <TextInput
            data-autofocus
            label={t('live.reason')}
            description={t('live.reasonHint')}
            value={reason}
            onChange={(e) => setReason(e.currentTarget.value)}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('common.cancel')}
            </Button>
            <Button type="submit" loading={busy} color={ask.op === 'offline' ? 'red' : undefined}>
              {t(`live.op.${ask.op}`)}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
