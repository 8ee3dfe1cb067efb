import { ActionIcon, Button, Group, Menu, Modal, Stack, Tooltip } from '@mantine/core';
import {
  IconArrowBarToUp,
  IconDots,
  IconEar,
  IconHandGrab,
  IconHourglass,
  IconPhoneCalling,
  IconPhoneIncoming,
  IconPhoneOff,
  IconPhoneOutgoing,
  IconPlayerPause,
  IconRecordMail,
  IconRoute,
  IconSwitchHorizontal,
} from '@tabler/icons-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { AgentStat, CallStat, QueueStat } from '~/api/types';
import { can, useCore, useMe, usePhone } from '~/app/context';
import { phone } from '~/lib/format';
import { Empty, type IconType, Phone, Pill, Since, type Tone, uiCss } from '~/ui/bits';
import { toast, toastError } from '~/ui/toast';
import css from './live.module.css';

const LOOK: Record<string, { tone: Tone; icon: IconType }> = {
  waiting: { tone: 'amber', icon: IconHourglass },
  ringing: { tone: 'amber', icon: IconPhoneIncoming },
  connecting: { tone: 'amber', icon: IconPhoneIncoming },
  agent_lost: { tone: 'red', icon: IconPhoneOff },
  menu: { tone: 'neutral', icon: IconRoute },
  dialing: { tone: 'blue', icon: IconPhoneOutgoing },
  talking: { tone: 'blue', icon: IconPhoneCalling },
  held: { tone: 'yellow', icon: IconPlayerPause },
  voicemail: { tone: 'violet', icon: IconRecordMail },
};
const ORDER = [
  'agent_lost',
  'waiting',
  'ringing',
  'connecting',
  'dialing',
  'talking',
  'held',
  'menu',
  'voicemail',
];

export function CallsList({
  calls,
  agents,
  queues,
  hatch,
}: {
  calls: CallStat[];
  agents: AgentStat[];
  queues: QueueStat[];
  hatch: string;
}) {
  const { t } = useTranslation();
  const rank = (s: string) => (ORDER.includes(s) ? ORDER.indexOf(s) : ORDER.length);
  const sorted = [...calls].sort(
    (a, b) => rank(a.state) - rank(b.state) || (a.position ?? 999) - (b.position ?? 999) || a.since - b.since,
  );
  const groups = [...new Set(sorted.map((c) => c.state))];
  return (
    <section className={uiCss.card}>
      <div className={uiCss.cardHead}>
        <h2>{t('live.calls')}</h2>
        <span className="dim tnum">{calls.length}</span>
      </div>
      <div className={hatch}>
        {calls.length === 0 ? (
          <Empty icon={IconPhoneOff} title={t('live.noCalls')} text={t('live.noCallsText')} />
        ) : null}
        {groups.map((g) => (
          <div key={g}>
            <div className={css.groupName}>{t(`live.group.${g}`, { defaultValue: g })}</div>
            {sorted
              .filter((c) => c.state === g)
              .map((c) => (
                <CallLine key={c.call} call={c} agents={agents} queues={queues} />
              ))}
          </div>
        ))}
      </div>
    </section>
  );
}

function CallLine({ call: c, agents, queues }: { call: CallStat; agents: AgentStat[]; queues: QueueStat[] }) {
  const { t } = useTranslation();
  const core = useCore();
  const me = useMe();
  const offset = usePhone((s) => s.offset);
  const shift = usePhone((s) => s.agent?.state === 'available');
  const monitoring = usePhone((s) => s.monitor !== null);
  const [ending, setEnding] = useState(false);
  const look = LOOK[c.state] ?? { tone: 'neutral' as Tone, icon: IconPhoneCalling };
  const agent = agents.find((a) => a.login === c.agent);
  const queue = queues.find((q) => q.key === c.queue);
  const waits = c.state === 'waiting' || c.state === 'ringing';
  const talks = ['talking', 'held', 'agent_lost'].includes(c.state);
  const run = (p: Promise<unknown>) => void p.then(() => toast(t('live.done'))).catch(toastError);
  return (
    <div className={css.call}>
      <div>
        <b>{c.from_name || (c.from ? <Phone value={c.from} /> : t('trust.withheld'))}</b>
        <div className={css.sub}>
          {c.from_name ? <Phone value={c.from} /> : null}
          {queue || c.queue ? <span>{queue?.name ?? c.queue}</span> : null}
          {agent ? <span>{agent.name}</span> : null}
          {c.position ? <span>{t('live.position', { n: c.position })}</span> : null}
          {c.lang ? <span>{c.lang.toUpperCase()}</span> : null}
          {c.priority ? <span>{t('live.priority', { n: c.priority })}</span> : null}
        </div>
      </div>
      <Pill tone={look.tone} icon={look.icon}>
        <Since at={c.since} offset={offset} />
      </Pill>
      {talks && can(me, 'monitor.listen') && c.agent !== me.login ? (
        <Tooltip label={t('live.listenHint')}>
          <ActionIcon
            variant="light"
            color="petrol"
            disabled={monitoring}
            aria-label={t('live.listenTo', { who: c.from_name || phone(c.from) })}
            onClick={() => core.monitor({ call: c.call }).catch(toastError)}
          >
            <IconEar size={18} />
          </ActionIcon>
        </Tooltip>
      ) : null}
      {can(me, 'agent.force') ? (
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon aria-label={t('live.actionsFor', { who: c.from_name || phone(c.from) })}>
              <IconDots size={18} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {waits ? (
              <>
                <Menu.Item
                  leftSection={<IconArrowBarToUp size={16} />}
                  onClick={() => run(core.supCall(c.call, 'priority', { priority: (c.priority ?? 0) + 1 }))}
                >
                  {t('live.raise')}
                </Menu.Item>
                {shift ? (
                  <Menu.Item
                    leftSection={<IconHandGrab size={16} />}
                    onClick={() => run(core.supCall(c.call, 'pull'))}
                  >
                    {t('live.pull')}
                  </Menu.Item>
                ) : null}
                {queues.length > 1 ? <Menu.Label>{t('live.moveTo')}</Menu.Label> : null}
                {queues
                  .filter((q) => q.key !== c.queue)
                  .map((q) => (
                    <Menu.Item
                      key={q.key}
                      leftSection={<IconSwitchHorizontal size={16} />}
                      onClick={() => run(core.supCall(c.call, 'move', { queue: q.key }))}
                    >
                      {q.name || q.key}
                    </Menu.Item>
                  ))}
                <Menu.Divider />
              </>
            ) : null}
            <Menu.Item color="red" leftSection={<IconPhoneOff size={16} />} onClick={() => setEnding(true)}>
              {t('phone.hangup')}…
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      ) : null}
      <Modal opened={ending} onClose={() => setEnding(false)} title={t('live.hangupTitle')} size="sm">
        <Stack gap="md">
          <span>{t('live.hangupText', { who: c.from_name || phone(c.from) })}</span>
          <Group justify="flex-end">
            <Button variant="default" data-autofocus onClick={() => setEnding(false)}>
              {t('common.cancel')}
            </Button>
            <Button
              color="red"
              onClick={() => {
                setEnding(false);
                run(core.supCall(c.call, 'hangup'));
              }}
            >
              {t('phone.hangup')}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </div>
  );
}
