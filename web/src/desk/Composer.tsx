// Writing into a ticket: a note for colleagues or a reply to the customer, plainly different. What was begun is kept.

import { Button, SegmentedControl, Textarea } from '@mantine/core';
import { IconLock, IconSend } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, newKey, post } from '~/api/client';
import type { Ticket } from '~/api/types';
import { inText, keyName } from '~/lib/keys';
import { prefs } from '~/lib/prefs';
import { toast, toastError } from '~/ui/toast';
import css from './ticket.module.css';

type Kind = 'note' | 'reply';

const draftKey = (number: string, kind: Kind) => `hotline.draft.${number}.${kind}`;

export function Composer({ ticket, lastMessage }: { ticket: Ticket; lastMessage: number }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const text = useRef<HTMLTextAreaElement>(null);
  const [kind, setKind] = useState<Kind>('note');
  const [body, setBody] = useState(() => sessionStorage.getItem(draftKey(ticket.number, 'note')) ?? '');
  const [busy, setBusy] = useState(false);
  const key = useRef(newKey());
  const pick = (next: Kind) => {
    setKind(next);
    setBody(sessionStorage.getItem(draftKey(ticket.number, next)) ?? '');
  };
  const write = (value: string) => {
    setBody(value);
    sessionStorage.setItem(draftKey(ticket.number, kind), value);
  };
  const to = ticket.contact?.points?.find((p) => p.kind === 'email')?.value ?? ticket.contact?.name;
  const send = () => {
    if (!body.trim() || busy) return;
    setBusy(true);
    post(
      `/tickets/${ticket.number}/messages`,
      { kind, body: body.trim(), ...(lastMessage ? { last_seen_message_id: lastMessage } : {}) },
      key.current,
    )
      .then(() => {
        key.current = newKey();
        sessionStorage.removeItem(draftKey(ticket.number, kind));
        setBody('');
        return Promise.all(
          ['timeline', 'ticket'].map((k) => client.invalidateQueries({ queryKey: [k, ticket.number] })),
        );
      })
      .catch((err: unknown) => {
        key.current = newKey();
        if (err instanceof ApiError && err.status === 409) {
          void client.invalidateQueries({ queryKey: ['timeline', ticket.number] });
          toast(t('composer.newer'));
        } else toastError(err);
      })
      .finally(() => setBusy(false));
  };
  useComposeKeys((k) => {
    pick(k);
    text.current?.focus();
  });
  return (
    <form
      className={css.composer}
      data-note={kind === 'note' || undefined}
      onSubmit={(e) => {
        e.preventDefault();
        send();
      }}
    >
      <div className={css.composerRow}>
        <SegmentedControl
          size="xs"
          aria-label={t('composer.kind')}
          value={kind}
          onChange={(v) => pick(v as Kind)}
          data={[
            { value: 'note', label: t('composer.note') },
            { value: 'reply', label: t('composer.reply') },
          ]}
        />
        <span className="dim" style={{ fontSize: 12.5, flex: 1 }}>
          {kind === 'note' ? (
            <>
              <IconLock size={13} style={{ verticalAlign: '-2px' }} /> {t('composer.noteWho')}
            </>
          ) : (
            t('composer.to', { who: to ?? t('timeline.customer') })
          )}
        </span>
      </div>
      <div style={{ display: 'flex', gap: 10, alignItems: 'flex-end' }}>
        <Textarea
          ref={text}
          flex={1}
          autosize
          minRows={2}
          maxRows={10}
          value={body}
          onChange={(e) => write(e.currentTarget.value)}
          placeholder={t(kind === 'note' ? 'composer.noteHint' : 'composer.replyHint')}
          aria-label={t(kind === 'note' ? 'composer.note' : 'composer.reply')}
          onKeyDown={(e) => {
            if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) {
              e.preventDefault();
              send();
            }
          }}
        />
        <Button
          type="submit"
          loading={busy}
          disabled={!body.trim()}
          leftSection={<IconSend size={16} />}
          title="Ctrl+Enter"
        >
          {t(kind === 'note' ? 'composer.saveNote' : 'composer.send')}
        </Button>
      </div>
    </form>
  );
}

/** N writes a note, R a reply. While a call rings, N belongs to the call. */
function useComposeKeys(open: (k: Kind) => void) {
  useEffect(() => {
    const down = (e: KeyboardEvent) => {
      if (e.defaultPrevented || inText(e.target) || !prefs.get().singleKeys) return;
      if (document.querySelector('[role="dialog"]')) return;
      const name = keyName(e);
      if (name !== 'n' && name !== 'r') return;
      e.preventDefault();
      open(name === 'n' ? 'note' : 'reply');
    };
    window.addEventListener('keydown', down);
    return () => window.removeEventListener('keydown', down);
  });
}
