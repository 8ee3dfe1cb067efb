import { ActionIcon, Button, Group, Modal, Select, Stack, TextInput, Tooltip } from '@mantine/core';
import { IconPencil, IconPlus, IconTicket, IconTrash } from '@tabler/icons-react';
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { del, patch, post } from '~/api/client';
import { fieldErrors } from '~/api/problems';
import { contactCallsQuery, contactQuery, contactTicketsQuery, flat } from '~/api/queries';
import type { Contact, ContactPoint } from '~/api/types';
import { CallRow } from '~/desk/CallLists';
import { NewTicket } from '~/desk/NewTicket';
import { PointLine } from '~/desk/SidePanel';
import { TicketItem } from '~/desk/TicketList';
import { Avatar, ErrorState, Loading, Pill, uiCss } from '~/ui/bits';
import { toastError, toastUndo } from '~/ui/toast';
import css from './contact.module.css';
import { contactName } from './contactName';

export function ContactPage() {
  const { id } = useParams({ from: '/contacts/$id' });
  const query = useQuery(contactQuery(Number(id)));
  if (query.isPending) return <Loading />;
  if (query.isError) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  return <View contact={query.data} />;
}

function View({ contact: c }: { contact: Contact }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [creating, setCreating] = useState(false);
  const [renaming, setRenaming] = useState<string | null>(null);
  const refresh = () => client.invalidateQueries({ queryKey: ['contact', c.id] });
  const rename = () => {
    const name = renaming?.trim();
    setRenaming(null);
    if (name && name !== c.name)
      patch(`/contacts/${c.id}`, { name }, c.version).then(refresh).catch(toastError);
  };
  return (
    <div className={uiCss.page}>
      <header className={css.head}>
        <Avatar name={c.name} size={56} />
        <div style={{ flex: 1, minWidth: 200 }}>
          <Group gap={6} wrap="nowrap">
            {renaming === null ? (
              <>
                <h1 style={{ margin: 0 }}>{contactName(c, t('ticket.noContact'))}</h1>
                <Tooltip label={t('contact.rename')}>
                  <ActionIcon aria-label={t('contact.rename')} onClick={() => setRenaming(c.name)}>
                    <IconPencil size={17} />
                  </ActionIcon>
                </Tooltip>
              </>
            ) : (
              <TextInput
                autoFocus
                aria-label={t('contact.name')}
                value={renaming}
                onChange={(e) => setRenaming(e.currentTarget.value)}
                onBlur={rename}
                onKeyDown={(e) => e.key === 'Enter' && rename()}
              />
            )}
          </Group>
          <span className="dim">
            {(c.orgs?.length ? c.orgs : c.org ? [c.org] : []).map((o) => o.name).join(', ') ||
              t('contact.noOrg')}
          </span>{' '}
          {c.blocked ? <Pill tone="red">{t('caller.blocked')}</Pill> : null}
        </div>
        <Button leftSection={<IconTicket size={16} />} onClick={() => setCreating(true)}>
          {t('ticket.new')}
        </Button>
      </header>
      <div className={css.cols}>
        <Points contact={c} refresh={refresh} />
        <Tickets id={c.id} />
        <Calls id={c.id} />
      </div>
      <NewTicket opened={creating} onClose={() => setCreating(false)} contact={c.id} />
    </div>
  );
}

function Points({ contact: c, refresh }: { contact: Contact; refresh: () => Promise<unknown> }) {
  const { t } = useTranslation();
  const [adding, setAdding] = useState(false);
  const add = (p: Pick<ContactPoint, 'kind' | 'value' | 'ext' | 'label' | 'sharing'>) =>
    post(`/contacts/${c.id}/points`, p);
  const remove = (p: ContactPoint) =>
    del(`/contacts/${c.id}/points/${p.id}`)
      .then(refresh)
      .then(() =>
        toastUndo(t('contact.pointRemoved'), () =>
          add({
            kind: p.kind,
            value: p.raw || p.value,
            ext: p.ext || undefined,
            label: p.label || undefined,
            sharing: p.sharing,
          }).then(refresh),
        ),
      )
      .catch(toastError);
  return (
    <section className={uiCss.card}>
      <div className={uiCss.cardHead}>
        <h2>{t('contact.points')}</h2>
        <ActionIcon aria-label={t('contact.addPoint')} onClick={() => setAdding(true)}>
          <IconPlus size={18} />
        </ActionIcon>
      </div>
      <div className={uiCss.cardBody} style={{ display: 'flex', flexDirection: 'column', gap: 10 }}>
        {c.points.length === 0 ? <span className="dim">{t('contact.noPoints')}</span> : null}
        {c.points.map((p) => (
          <Group key={p.id} gap={4} wrap="nowrap">
            <div style={{ flex: 1, minWidth: 0 }}>
              <PointLine point={p} contact={c.id} />
            </div>
            <ActionIcon
              size="md"
              aria-label={t('contact.removePoint', { value: p.value })}
              onClick={() => void remove(p)}
            >
              <IconTrash size={16} stroke={1.6} />
            </ActionIcon>
          </Group>
        ))}
      </div>
      <Modal opened={adding} onClose={() => setAdding(false)} title={t('contact.addPoint')}>
        {adding ? (
          <PointForm
            save={add}
            done={() => {
              setAdding(false);
              void refresh();
            }}
          />
        ) : null}
      </Modal>
    </section>
  );
}

function PointForm({
  save,
  done,
}: {
  save: (p: Pick<ContactPoint, 'kind' | 'value' | 'label' | 'sharing'>) => Promise<unknown>;
  done: () => void;
}) {
  const { t } = useTranslation();
  const [f, setF] = useState({ kind: 'phone', value: '', label: '', sharing: 'personal' });
  const m = useMutation({
    mutationFn: () =>
      save({
        kind: f.kind as ContactPoint['kind'],
        value: f.value.trim(),
        label: f.label.trim() || undefined,
        sharing: f.sharing as 'personal' | 'shared',
      }),
    onSuccess: done,
    onError: (err) => {
      if (Object.keys(fieldErrors(err)).length === 0) toastError(err);
    },
  });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        m.mutate();
      }}
    >
      <Stack gap="md">
        <Select
          label={t('contact.kind')}
          data={['phone', 'email', 'telegram', 'whatsapp', 'viber', 'vk'].map((value) => ({
            value,
            label: t(`channel.${value}`),
          }))}
          value={f.kind}
          onChange={(kind) => kind && setF({ ...f, kind })}
          allowDeselect={false}
        />
        <TextInput
          required
          data-autofocus
          label={t('contact.value')}
          value={f.value}
          error={fieldErrors(m.error).value}
          onChange={(e) => setF({ ...f, value: e.currentTarget.value })}
        />
        <TextInput
          label={t('contact.label')}
          value={f.label}
          onChange={(e) => setF({ ...f, label: e.currentTarget.value })}
        />
        <Select
          label={t('contact.sharing')}
          data={[
            { value: 'personal', label: t('contact.personal') },
            { value: 'shared', label: t('contact.sharedLong') },
          ]}
          value={f.sharing}
          onChange={(sharing) => sharing && setF({ ...f, sharing })}
          allowDeselect={false}
        />
        <Group justify="flex-end">
          <Button type="submit" loading={m.isPending} disabled={!f.value.trim()}>
            {t('common.save')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Tickets({ id }: { id: number }) {
  const { t } = useTranslation();
  const q = useInfiniteQuery(contactTicketsQuery(id));
  const items = flat(q.data);
  return (
    <section className={uiCss.card}>
      <div className={uiCss.cardHead}>
        <h2>{t('contact.tickets')}</h2>
      </div>
      {q.isPending ? <Loading /> : null}
      {q.isError ? <ErrorState error={q.error} retry={() => void q.refetch()} /> : null}
      {q.isSuccess && items.length === 0 ? (
        <div className={`${uiCss.cardBody} dim`}>{t('contact.noTickets')}</div>
      ) : null}
      {items.map((x) => (
        <TicketItem key={x.number} ticket={x} view="all" on={false} />
      ))}
      {q.hasNextPage ? (
        <Button
          variant="subtle"
          fullWidth
          loading={q.isFetchingNextPage}
          onClick={() => void q.fetchNextPage()}
        >
          {t('common.more')}
        </Button>
      ) : null}
    </section>
  );
}

function Calls({ id }: { id: number }) {
  const { t } = useTranslation();
  const q = useInfiniteQuery(contactCallsQuery(id));
  const items = flat(q.data);
  return (
    <section className={uiCss.card}>
      <div className={uiCss.cardHead}>
        <h2>{t('contact.calls')}</h2>
      </div>
      {q.isPending ? <Loading /> : null}
      {q.isError ? <ErrorState error={q.error} retry={() => void q.refetch()} /> : null}
      {q.isSuccess && items.length === 0 ? (
        <div className={`${uiCss.cardBody} dim`}>{t('contact.noCalls')}</div>
      ) : null}
      {items.map((x) => (
        <CallRow key={x.id} call={x} />
      ))}
      {q.hasNextPage ? (
        <Button
          variant="subtle"
          fullWidth
          loading={q.isFetchingNextPage}
          onClick={() => void q.fetchNextPage()}
        >
          {t('common.more')}
        </Button>
      ) : null}
    </section>
  );
}
