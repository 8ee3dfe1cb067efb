import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { IconPhoneOutgoing } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useCore, usePhone } from '~/app/context';
import type { DialTarget } from '~/phone/protocol';
import { canDial } from '~/phone/state';
import { toastError } from '~/ui/toast';

/** useDial gives the click that calls somebody, and whether it is on its way. Refusals are told in a notice. */
export function useDial(): [(target: DialTarget) => Promise<void>, boolean] {
  const core = useCore();
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const dial = async (target: DialTarget) => {
    setBusy(true);
    try {
      await core.dial(target);
    } catch (err) {
      toastError(err);
    }
    setBusy(false);
    if (target.callback) await client.invalidateQueries({ queryKey: ['callbacks'] });
  };
  return [dial, busy];
}

/**
 * A button beside a number that calls it. It is there only while the agent can call: on shift, and in no call. `name` is
 * for screen readers: whom it calls.
 */
export function DialButton({
  target,
  name,
  label,
  wide,
}: {
  target: DialTarget;
  name: string;
  label?: string;
  wide?: boolean;
}) {
  const { t } = useTranslation();
  const able = usePhone(canDial);
  const [dial, busy] = useDial();
  if (!able) return null;
  if (wide) {
    return (
      <Button
        size="compact-sm"
        variant="light"
        loading={busy}
        leftSection={<IconPhoneOutgoing size={15} />}
        aria-label={name}
        onClick={() => void dial(target)}
      >
        {label ?? t('phone.dial')}
      </Button>
    );
  }
  return (
    <Tooltip label={label ?? t('phone.dial')}>
      <ActionIcon
        variant="light"
        color="petrol"
        loading={busy}
        aria-label={name}
        onClick={() => void dial(target)}
      >
        <IconPhoneOutgoing size={17} />
      </ActionIcon>
    </Tooltip>
  );
}
