import { Button } from '@mantine/core';
import {
  IconAlertTriangle,
  IconCircleCheck,
  IconPhoneCall,
  IconPlugConnected,
  IconPlus,
  IconPower,
} from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { numbersQuery, trunksQuery } from '~/api/queries';
import type { PhoneNumber, Trunk } from '~/api/types';
import { moment, phone } from '~/lib/format';
import { Empty, PageHead, Pill, uiCss, When } from '~/ui/bits';
import css from './admin.module.css';
import { fixFor } from './fixes';
import { NumberForm } from './NumberForm';
import { Editor, TableCard } from './parts';
import { TrunkForm } from './TrunkForm';

export function TrunksPage() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const trunks = useQuery(trunksQuery);
  const numbers = useQuery(numbersQuery);
  const [trunk, setTrunk] = useState<Trunk | 'new' | null>(null);
  const [number, setNumber] = useState<PhoneNumber | 'new' | null>(null);
  const done = () => {
    setTrunk(null);
    setNumber(null);
    void client.invalidateQueries({ queryKey: ['trunks'] });
    void client.invalidateQueries({ queryKey: ['numbers'] });
  };
  return (
    <div className={uiCss.page}>
      <PageHead title={t('admin.nav.trunks')} text={t('admin.trunks.text')}>
        <Button leftSection={<IconPlus size={16} />} onClick={() => setTrunk('new')}>
          {t('admin.trunks.add')}
        </Button>
      </PageHead>
      <TableCard
        query={trunks}
        label={t('admin.trunks.list')}
        empty={
          trunks.data?.length === 0 ? (
            <Empty
              icon={IconPlugConnected}
              title={t('admin.trunks.none')}
              text={t('admin.trunks.noneText')}
            />
          ) : undefined
        }
      >
        <thead>
          <tr>
            <th>{t('admin.trunks.trunk')}</th>
            <th>{t('admin.trunks.state')}</th>
            <th>{t('admin.trunks.far')}</th>
            <th className={uiCss.num}>{t('admin.trunks.calls')}</th>
            <th>{t('admin.trunks.trust')}</th>
          </tr>
        </thead>
        <tbody>
          {(trunks.data ?? []).map((x) => (
            <tr key={x.name}>
              <td>
                <button type="button" className={css.rowLink} onClick={() => setTrunk(x)}>
                  {x.name}
                </button>
              </td>
              <td>
                <TrunkStatus trunk={x} />
              </td>
              <td>
                {x.host
                  ? `${x.host}${x.port ? `:${x.port}` : ''} ${x.transport.toUpperCase()}`
                  : (x.cidrs ?? []).join(', ')}
              </td>
              <td className={uiCss.num}>
                {x.state?.calls ?? 0}
                {x.max_calls ? <span className="dim"> / {x.max_calls}</span> : null}
              </td>
              <td>{t(x.asserts_identity ? 'admin.trunks.asserts' : 'admin.trunks.claims')}</td>
            </tr>
          ))}
        </tbody>
      </TableCard>
      <PageHead sub title={t('admin.numbers.title')} text={t('admin.numbers.text')}>
        <Button variant="default" leftSection={<IconPlus size={16} />} onClick={() => setNumber('new')}>
          {t('admin.numbers.add')}
        </Button>
      </PageHead>
      <TableCard
        query={numbers}
        label={t('admin.numbers.title')}
        empty={
          numbers.data?.length === 0 ? (
            <Empty icon={IconPhoneCall} title={t('admin.numbers.none')} text={t('admin.numbers.noneText')} />
          ) : undefined
        }
      >
        <thead>
          <tr>
            <th>{t('admin.numbers.number')}</th>
            <th>{t('admin.numbers.label')}</th>
            <th>{t('admin.numbers.goes')}</th>
            <th className={uiCss.num}>{t('admin.trunks.maxCalls')}</th>
          </tr>
        </thead>
        <tbody>
          {(numbers.data ?? []).map((n) => (
            <tr key={n.number}>
              <td className="tnum" style={{ whiteSpace: 'nowrap' }}>
                <button type="button" className={css.rowLink} onClick={() => setNumber(n)}>
                  {phone(n.number)}
                </button>
              </td>
              <td>{n.label}</td>
              <td>
                {n.flow
                  ? t('admin.numbers.toFlow', { flow: n.flow })
                  : t('admin.numbers.toQueue', { queue: n.queue })}
              </td>
              <td className={uiCss.num}>{n.max_calls || t('admin.noLimit')}</td>
            </tr>
          ))}
        </tbody>
      </TableCard>
      <Editor
        opened={trunk !== null}
        onClose={() => setTrunk(null)}
        title={trunk && trunk !== 'new' ? trunk.name : t('admin.trunks.add')}
      >
        <TrunkForm trunk={trunk === 'new' ? null : trunk} onDone={done} onClose={() => setTrunk(null)} />
      </Editor>
      <Editor
        opened={number !== null}
        onClose={() => setNumber(null)}
        title={number && number !== 'new' ? phone(number.number) : t('admin.numbers.add')}
      >
        <NumberForm number={number === 'new' ? null : number} onDone={done} onClose={() => setNumber(null)} />
      </Editor>
    </div>
  );
}

/** The line's health in words, with the last error and what to do about it. */
export function TrunkStatus({ trunk: x, long }: { trunk: Trunk; long?: boolean }) {
  const { t } = useTranslation();
  const key = !x.enabled
    ? 'off'
    : x.state?.error
      ? 'error'
      : !x.register
        ? 'static'
        : x.state?.registered
          ? 'registered'
          : 'trying';
  const tone = key === 'error' ? 'red' : key === 'trying' ? 'amber' : key === 'off' ? 'neutral' : 'green';
  const icon =
    key === 'error'
      ? IconAlertTriangle
      : key === 'off'
        ? IconPower
        : key === 'trying'
          ? IconPlugConnected
          : IconCircleCheck;
  return (
    <div>
      <Pill tone={tone} icon={icon}>
        {t(`admin.trunks.st.${key}`)}
      </Pill>
      {x.state?.since && key !== 'off' ? (
        <span className="dim" style={{ fontSize: 12.5, marginInlineStart: 8 }}>
          <When at={x.state.since}>{t('admin.trunks.since', { at: moment(x.state.since) })}</When>
        </span>
      ) : null}
      {x.enabled && x.state?.error ? (
        <div style={{ fontSize: 12.5, marginTop: 4, maxWidth: 420 }}>
          {x.state.error}
          <div className="dim">{t(`admin.trunks.fix.${fixFor(x.state.error)}`)}</div>
        </div>
      ) : null}
      {long ? (
        <p className="dim" style={{ fontSize: 13, margin: '8px 0 0' }}>
          {t('admin.trunks.testHint')}
        </p>
      ) : null}
    </div>
  );
}
