// Pieces that the administration pages share: lists, editors at the side, secrets shown once.

import { ActionIcon, Button, CopyButton, Drawer, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ErrorState, Loading, Scroller, uiCss } from '~/ui/bits';
import css from './admin.module.css';

interface ListQuery {
  isPending: boolean;
  isError: boolean;
  error: unknown;
  refetch: () => unknown;
}

/** A table with its loading and error states. */
export function TableCard({
  query,
  label,
  empty,
  children,
}: {
  query: ListQuery;
  label: string;
  empty?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className={uiCss.card} aria-label={label}>
      {query.isPending ? <Loading /> : null}
      {query.isError ? <ErrorState error={query.error} retry={() => void query.refetch()} /> : null}
      {!query.isPending && !query.isError
        ? (empty ?? (
            <Scroller label={label}>
              <table className={uiCss.table}>{children}</table>
            </Scroller>
          ))
        : null}
    </section>
  );
}

export function Editor({
  title,
  opened,
  onClose,
  children,
}: {
  title: string;
  opened: boolean;
  onClose: () => void;
  children: ReactNode;
}) {
  return (
    <Drawer
      opened={opened}
      onClose={onClose}
      title={<b>{title}</b>}
      position="right"
      size="min(620px, 100vw)"
      padding="md"
    >
      {opened ? children : null}
    </Drawer>
  );
}

export function EditorFoot({
  busy,
  disabled,
  onClose,
  save,
}: {
  busy: boolean;
  disabled?: boolean;
  onClose: () => void;
  save?: string;
}) {
  const { t } = useTranslation();
  return (
    <div className={css.foot}>
      <Button variant="default" onClick={onClose}>
        {t('common.cancel')}
      </Button>
      <Button type="submit" loading={busy} disabled={disabled}>
        {save ?? t('common.save')}
      </Button>
    </div>
  );
}

/** A secret with a button to copy it. It is not shown again. */
export function Secret({ value, label }: { value: string; label?: string }) {
  const { t } = useTranslation();
  return (
    <div>
      {label ? <div style={{ fontSize: 13, fontWeight: 550, marginBottom: 4 }}>{label}</div> : null}
      <div className={css.secret}>
        <span>{value}</span>
        <CopyButton value={value}>
          {({ copied, copy }) => (
            <Tooltip label={t(copied ? 'common.copied' : 'common.copy')}>
              <ActionIcon aria-label={t('common.copy')} onClick={copy}>
                {copied ? <IconCheck size={17} /> : <IconCopy size={17} />}
              </ActionIcon>
            </Tooltip>
          )}
        </CopyButton>
      </div>
    </div>
  );
}
