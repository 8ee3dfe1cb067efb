// Colour, icon and word of each agent state, the same everywhere.

import {
  IconAlertTriangle,
  IconCircleCheck,
  IconCoffee,
  IconEdit,
  IconPhoneCalling,
  IconPhoneIncoming,
  IconPhoneOutgoing,
  IconPlayerPause,
  IconPower,
  IconTicket,
  IconUsers,
  IconWifiOff,
} from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import { local } from '~/i18n';
import type { Policy } from '~/phone/protocol';
import { type IconType, Pill, type Tone } from '~/ui/bits';

const LOOKS: Record<string, { tone: Tone; icon: IconType }> = {
  offline: { tone: 'neutral', icon: IconPower },
  available: { tone: 'green', icon: IconCircleCheck },
  ringing: { tone: 'amber', icon: IconPhoneIncoming },
  dialing: { tone: 'blue', icon: IconPhoneOutgoing },
  talking: { tone: 'blue', icon: IconPhoneCalling },
  held: { tone: 'blue', icon: IconPlayerPause },
  consulting: { tone: 'blue', icon: IconUsers },
  conference: { tone: 'blue', icon: IconUsers },
  acw: { tone: 'violet', icon: IconEdit },
  paused: { tone: 'yellow', icon: IconCoffee },
  busy_other: { tone: 'teal', icon: IconTicket },
  lost: { tone: 'red', icon: IconWifiOff },
  lost_call: { tone: 'red', icon: IconWifiOff },
  error: { tone: 'red', icon: IconAlertTriangle },
};

const UNKNOWN = { tone: 'neutral' as Tone, icon: IconPower as IconType };

export function stateLook(state: string): { tone: Tone; icon: IconType } {
  return LOOKS[state] ?? UNKNOWN;
}

export function reasonName(policy: Policy, reason: string | undefined, t: (k: string) => string): string {
  if (!reason) return '';
  const known = policy.pause_reasons?.find((r) => r.key === reason);
  if (known) return local(known.name, reason);
  return reason === 'missed' ? t('state.reasonMissed') : reason;
}

/** The state in words, with its reason. */
export function useStateWord(): (state: string, reason: string | undefined, policy: Policy) => string {
  const { t } = useTranslation();
  return (state, reason, policy) => {
    const why = reasonName(policy, reason, t);
    if (state === 'paused' && why) return t('state.pausedFor', { reason: why });
    return LOOKS[state] ? t(`state.${state}`) : state;
  };
}

export function StatePill({ state, reason, policy }: { state: string; reason?: string; policy: Policy }) {
  const word = useStateWord();
  const look = stateLook(state);
  return (
    <Pill tone={look.tone} icon={look.icon}>
      {word(state, reason, policy)}
    </Pill>
  );
}
