import { Badge, Menu } from '@mantine/core';
import { IconChevronDown, IconCircleCheck, IconCoffee, IconPower, IconX } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import { useCore, usePhone } from '~/app/context';
import { local } from '~/i18n';
import { useStore } from '~/lib/store';
import { nextOf } from '~/phone/state';
import { Since } from '~/ui/bits';
import { toastError } from '~/ui/toast';
import { deskUi } from './deskUi';
import css from './phonebar.module.css';
import { stateLook, useStateWord } from './stateLook';

/** The agent's state with its time, and the choice of another one. In a call the choice waits for its end. */
export function StateMenu() {
  const { t } = useTranslation();
  const core = useCore();
  const agent = usePhone((s) => s.agent);
  const policy = usePhone((s) => s.policy);
  const offset = usePhone((s) => s.offset);
  const busy = usePhone((s) => s.calls.length > 0 || s.agent?.state === 'acw');
  const { stateMenu } = useStore(deskUi);
  const word = useStateWord();
  if (!agent) return <span className="dim">{t('phone.connecting')}</span>;
  const look = stateLook(agent.state);
  const Icon = look.icon;
  const next = nextOf(agent);
  const set = (state: 'available' | 'paused', reason?: string) =>
    core.setAgent(state, reason).catch(toastError);
  return (
    <Menu
      opened={stateMenu}
      onChange={(o) => deskUi.set({ stateMenu: o })}
      position="bottom-start"
      width={270}
    >
      <Menu.Target>
        <button type="button" className={css.stateBtn} data-tone={look.tone}>
          <Icon size={20} stroke={1.9} />
          <span style={{ minWidth: 0 }}>
            <strong>{word(agent.state, agent.reason, policy)}</strong>
            <small>
              <Since at={agent.since} offset={offset} />
              {agent.by && agent.by !== agent.login ? ` · ${t('phone.setBy', { who: agent.by })}` : ''}
            </small>
          </span>
          <IconChevronDown size={16} />
        </button>
      </Menu.Target>
      {next ? (
        <Badge
          variant="default"
          radius="sm"
          tt="none"
          fw={550}
          rightSection={
            <button
              type="button"
              aria-label={t('phone.clearNext')}
              onClick={() => void core.clearNext().catch(toastError)}
              style={{ all: 'unset', cursor: 'pointer', display: 'inline-flex', padding: 4 }}
            >
              <IconX size={12} />
            </button>
          }
        >
          {t('phone.next', { state: word(next.state, next.reason, policy) })}
        </Badge>
      ) : null}
      <Menu.Dropdown>
        <Menu.Label>{t(busy ? 'phone.afterCall' : 'phone.changeState')}</Menu.Label>
        <Menu.Item
          leftSection={<IconCircleCheck size={18} />}
          rightSection={<kbd>Alt 1</kbd>}
          onClick={() => void set('available')}
        >
          {t('state.available')}
        </Menu.Item>
        {(policy.pause_reasons ?? []).map((r) => (
          <Menu.Item
            key={r.key}
            leftSection={<IconCoffee size={18} />}
            onClick={() => void set('paused', r.key)}
          >
            {t('state.pausedFor', { reason: local(r.name, r.key) })}
          </Menu.Item>
        ))}
        {(policy.pause_reasons ?? []).length === 0 ? (
          <Menu.Item leftSection={<IconCoffee size={18} />} onClick={() => void set('paused')}>
            {t('state.paused')}
          </Menu.Item>
        ) : null}
        <Menu.Divider />
        <Menu.Item
          leftSection={<IconPower size={18} />}
          rightSection={<kbd>Alt 0</kbd>}
          onClick={() => void core.endShift().catch(toastError)}
        >
          {t('shift.end')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
