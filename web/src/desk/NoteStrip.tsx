// The note of a call and the work after it. What is typed is kept in the tab at once and on the server within two
// seconds; a reload loses nothing.

import { Button, Group, Select, Textarea } from '@mantine/core';
import { IconCheck, IconClockPlus } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useCore, usePhone } from '~/app/context';
import { clock } from '~/lib/format';
import { useStore } from '~/lib/store';
import { dropDraft, loadDraft, saveDraft } from '~/phone/drafts';
import { activeCall, type Wrapup } from '~/phone/state';
import { Pill, useLeft } from '~/ui/bits';
import { toastError } from '~/ui/toast';
import { deskUi } from './deskUi';
import css from './phonebar.module.css';

const SAVE_EVERY_MS = 2000;
const RESULTS = ['answered', 'solved', 'follow_up', 'escalated', 'wrong_number', 'no_result'];

export function NoteStrip() {
  const call = usePhone(activeCall);
  const wrapup = usePhone((s) => s.wrapup);
  const { note } = useStore(deskUi);
  const id = wrapup?.call ?? (note ? call?.call : undefined);
  if (!id) return null;
  return (
    <NoteEditor key={id} call={id} wrapup={wrapup} initial={call?.call === id ? (call.note ?? '') : ''} />
  );
}

function NoteEditor({ call, wrapup, initial }: { call: string; wrapup: Wrapup | null; initial: string }) {
  const { t } = useTranslation();
  const core = useCore();
  const [draft] = useState(() => loadDraft(call));
  const [note, setNote] = useState(draft?.note ?? initial);
  const [result, setResult] = useState<string | null>(draft?.result ?? null);
  const state = useAutosave(call, note, result);
  const done = () =>
    core
      .saveWrapup(call, { note, result: result ?? undefined, done: true })
      .then(() => dropDraft(call))
      .catch(toastError);
  return (
    <div className={css.strip}>
      <Textarea
        autosize
        minRows={wrapup ? 2 : 1}
        maxRows={6}
        value={note}
        onChange={(e) => setNote(e.currentTarget.value)}
        placeholder={t('note.hint')}
        aria-label={t('note.label')}
        description={state === 'saved' ? t('note.saved') : state === 'local' ? t('note.local') : undefined}
        inputWrapperOrder={['input', 'description']}
      />
      {wrapup ? (
        <div className={css.stripSide}>
          <TimeLeft wrapup={wrapup} />
          <Button
            variant="default"
            leftSection={<IconClockPlus size={16} />}
            onClick={() => core.extendWrapup(call).catch(toastError)}
          >
            {t('note.more')}
          </Button>
          <Select
            data={RESULTS.map((value) => ({ value, label: t(`result.${value}`) }))}
            value={result}
            onChange={setResult}
            placeholder={t('note.result')}
            aria-label={t('note.result')}
            clearable
          />
          <Button leftSection={<IconCheck size={16} />} onClick={() => void done()}>
            {t('note.done')}
          </Button>
        </div>
      ) : null}
    </div>
  );
}

function TimeLeft({ wrapup }: { wrapup: Wrapup }) {
  const { t } = useTranslation();
  const offset = usePhone((s) => s.offset);
  const left = useLeft(wrapup.until ?? undefined, offset);
  return (
    <Group gap={8} justify="space-between" wrap="nowrap">
      {wrapup.until ? (
        <Pill tone={left <= 10 ? 'red' : 'violet'}>
          {t('note.left')} <b className="tnum">{clock(left)}</b>
        </Pill>
      ) : (
        <Pill tone="violet">{t('state.acw')}</Pill>
      )}
      {wrapup.ticket ? (
        <Link
          to="/desk/$view/$number"
          params={{ view: 'mine', number: wrapup.ticket.number }}
          className="tnum"
        >
          #{wrapup.ticket.number}
        </Link>
      ) : null}
    </Group>
  );
}

/** Keeps the draft in the tab with every key, on the server every two seconds while it changes. */
function useAutosave(call: string, note: string, result: string | null): 'idle' | 'local' | 'saved' {
  const core = useCore();
  const [state, setState] = useState<'idle' | 'local' | 'saved'>('idle');
  const first = useRef(true);
  const save = useCallback(
    () =>
      core.saveWrapup(call, { note, result: result ?? undefined, done: false }).then(() => setState('saved')),
    [core, call, note, result],
  );
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    saveDraft(call, { note, result: result ?? undefined }, Date.now());
    setState('local');
    const timer = setTimeout(() => {
      save().catch(() => undefined);
    }, SAVE_EVERY_MS);
    return () => clearTimeout(timer);
  }, [call, note, result, save]);
  return state;
}
