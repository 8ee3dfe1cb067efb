import { Button, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconAddressBook, IconPlus, IconSearch, IconSearchOff } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { contactsQuery, flat } from '~/api/queries';
import { Avatar, Empty, ErrorState, Loading, PageHead, Phone, Scroller, uiCss } from '~/ui/bits';
import { ContactForm } from './ContactForm';
import { contactName } from './contactName';

export function ContactsPage() {
  const { t } = useTranslation();
  const { q = '' } = useSearch({ from: '/contacts' });
  const navigate = useNavigate();
  const [creating, setCreating] = useState(false);
  const query = useInfiniteQuery(contactsQuery(q));
  const search = useDebouncedCallback((v: string) => {
    void navigate({ to: '/contacts', search: v ? { q: v } : {}, replace: true });
  }, 300);
  const people = flat(query.data);
  return (
    <div className={uiCss.page}>
      <PageHead title={t('nav.contacts')}>
        <TextInput
          type="search"
          w={{ base: '100%', xs: 300 }}
          defaultValue={q}
          leftSection={<IconSearch size={16} />}
          placeholder={t('contact.search')}
          aria-label={t('contact.search')}
          onChange={(e) => search(e.currentTarget.value)}
        />
        <Button leftSection={<IconPlus size={16} />} onClick={() => setCreating(true)}>
          {t('contact.create')}
        </Button>
      </PageHead>
      <section className={uiCss.card} aria-label={t('nav.contacts')}>
        {query.isPending ? <Loading /> : null}
        {query.isError ? <ErrorState error={query.error} retry={() => void query.refetch()} /> : null}
        {query.isSuccess && people.length === 0 ? (
          <Empty
            icon={q ? IconSearchOff : IconAddressBook}
            title={t(q ? 'desk.nothing' : 'contact.none')}
            text={q ? t('desk.nothingText', { q }) : undefined}
          />
        ) : null}
        {people.length > 0 ? (
          <Scroller label={t('nav.contacts')}>
            <table className={uiCss.table}>
              <thead>
                <tr>
                  <th>{t('contact.name')}</th>
                  <th>{t('contact.org')}</th>
                  <th>{t('contact.phone')}</th>
                  <th>{t('contact.email')}</th>
                </tr>
              </thead>
              <tbody>
                {people.map((c) => (
                  <tr key={c.id}>
                    <td>
                      <Link
                        to="/contacts/$id"
                        params={{ id: String(c.id) }}
                        style={{
                          display: 'inline-flex',
                          gap: 10,
                          alignItems: 'center',
                          color: 'inherit',
                          fontWeight: 600,
                        }}
                      >
                        <Avatar name={c.name} size={30} />
                        {contactName(c, t('ticket.noContact'))}
                      </Link>
                    </td>
                    <td>{c.org?.name}</td>
                    <td style={{ whiteSpace: 'nowrap' }}>
                      <Phone value={c.points.find((p) => p.kind === 'phone')?.value} />
                    </td>
                    <td>{c.points.find((p) => p.kind === 'email')?.value}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroller>
        ) : null}
        {query.hasNextPage ? (
          <div style={{ padding: 12, textAlign: 'center' }}>
            <Button
              variant="default"
              loading={query.isFetchingNextPage}
              onClick={() => void query.fetchNextPage()}
            >
              {t('common.more')}
            </Button>
          </div>
        ) : null}
      </section>
      <ContactForm
        opened={creating}
        onClose={() => setCreating(false)}
        onSaved={(c) => void navigate({ to: '/contacts/$id', params: { id: String(c.id) } })}
      />
    </div>
  );
}
