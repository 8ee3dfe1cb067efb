import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { usePhone } from '~/app/context';
import { inText } from '~/lib/keys';
import { activeCall } from '~/phone/state';

/**
 * When the sound is up, the call's ticket is on the screen: once per call and ticket, and never away from a text that
 * is being written.
 */
export function useCallRouting(): void {
  const navigate = useNavigate();
  const call = usePhone(activeCall);
  const shown = useRef('');
  const number = call?.state === 'talking' ? call.ticket?.number : undefined;
  const key = number ? `${call?.call}/${number}` : '';
  useEffect(() => {
    if (!key || !number || shown.current === key) return;
    shown.current = key;
    if (!inText()) void navigate({ to: '/desk/$view/$number', params: { view: 'mine', number } });
  }, [key, number, navigate]);
}
