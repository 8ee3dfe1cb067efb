// Notices: what went wrong, what was done, and the way back while it can still be undone.

import { Button, Group } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import i18next from 'i18next';
import { explain } from '~/api/problems';

/** How long an action can be undone from its notice. */
export const UNDO_MS = 10_000;

export function toastError(err: unknown): void {
  const e = explain(err);
  notifications.show({
    color: 'red',
    title: e.title,
    message: e.detail ?? (e.trace ? i18next.t('common.trace', { id: e.trace }) : ''),
    autoClose: 8000,
  });
}

export function toast(message: string): void {
  notifications.show({ message, autoClose: 4000 });
}

/** Tells what was done and offers to undo it for ten seconds. */
export function toastUndo(message: string, undo: () => Promise<unknown>): void {
  const id = notifications.show({
    autoClose: UNDO_MS,
    message: (
      <Group justify="space-between" gap="sm" wrap="nowrap">
        <span>{message}</span>
        <Button
          size="compact-sm"
          variant="light"
          onClick={() => {
            notifications.hide(id);
            undo().catch(toastError);
          }}
        >
          {i18next.t('common.undo')}
        </Button>
      </Group>
    ),
  });
}
