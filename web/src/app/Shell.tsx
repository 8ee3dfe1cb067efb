// The frame of every page: telephone bar on top, navigation at the side (below on a small screen), page, incoming
// call, command palette.

import { Button } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import {
  IconActivity,
  IconAddressBook,
  IconHeadset,
  IconSettings,
  IconTool,
  IconVolumeOff,
} from '@tabler/icons-react';
import { Link, Outlet, useLocation, useNavigate } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { IncomingPanel } from '~/desk/IncomingPanel';
import { usePhoneKeys } from '~/desk/keys';
import { PhoneBar } from '~/desk/PhoneBar';
import { local } from '~/i18n';
import { onShift } from '~/phone/state';
import { type IconType, useLeft } from '~/ui/bits';
import { toast, toastError } from '~/ui/toast';
import { can, useCore, useMe, usePhone } from './context';
import { Palette } from './Palette';
import css from './shell.module.css';

export function Shell() {
  const { t } = useTranslation();
  const main = useRef<HTMLElement>(null);
  usePhoneKeys();
  useGoneNotice();
  useTitle();
  const navigate = useNavigate();
  useHotkeys([['mod+/', () => void navigate({ to: '/settings', hash: 'keys' })]]);
  return (
    <div className={css.shell}>
      <button type="button" className="skip" onClick={() => main.current?.focus()}>
        {t('nav.skip')}
      </button>
      <header className={css.bar}>
        <PhoneBar />
        <Banners />
      </header>
      <Nav />
      <main className={css.main} id="main" ref={main} tabIndex={0}>
        <Outlet />
      </main>
      <IncomingPanel />
      <Palette />
    </div>
  );
}

function NavItem({
  to,
  icon: Icon,
  label,
  params,
}: {
  to: string;
  icon: IconType;
  label: string;
  params?: object;
}) {
  return (
    <Link className={css.navItem} to={to} params={params as never} activeOptions={{ includeSearch: false }}>
      <Icon size={22} stroke={1.7} />
      {label}
    </Link>
  );
}

function Nav() {
  const { t } = useTranslation();
  const me = useMe();
  const { pathname } = useLocation();
  return (
    <nav className={css.nav} aria-label={t('nav.label')}>
      <Link
        className={css.navItem}
        to="/desk/$view"
        params={{ view: 'mine' }}
        activeProps={{}}
        data-status={pathname.startsWith('/desk') ? 'active' : undefined}
      >
        <IconHeadset size={22} stroke={1.7} />
        {t('nav.desk')}
      </Link>
      <NavItem to="/contacts" icon={IconAddressBook} label={t('nav.contacts')} />
      {can(me, 'live.read') ? <NavItem to="/live" icon={IconActivity} label={t('nav.live')} /> : null}
      {can(me, 'admin.users') ? <NavItem to="/admin" icon={IconTool} label={t('nav.admin')} /> : null}
      <span className={css.spring} />
      <NavItem to="/settings" icon={IconSettings} label={t('nav.settings')} />
    </nav>
  );
}

/** What is wrong or unusual with connection and sound, one line each. */
function Banners() {
  const { t } = useTranslation();
  const core = useCore();
  const link = usePhone((s) => s.link);
  const media = usePhone((s) => s.media);
  const shift = usePhone(onShift);
  const ready = usePhone((s) => s.ready);
  const alerts = usePhone((s) => s.alerts);
  const left = useLeft(link.state === 'waiting' ? link.at : undefined, 0);
  return (
    <>
      {link.state === 'waiting' && (ready || link.attempt > 1) ? (
        <div className={css.banner} data-tone="red" role="status">
          <span>{left > 0 ? t('banner.lost', { count: left }) : t('banner.reconnecting')}</span>
        </div>
      ) : null}
      {link.state === 'closed' ? (
        <div className={css.banner} data-tone="red" role="alert">
          <span>{t(link.code === 4403 ? 'banner.forbidden' : 'banner.replaced')}</span>
          <Button size="compact-sm" variant="default" onClick={() => core.reconnect()}>
            {t('banner.again')}
          </Button>
        </div>
      ) : null}
      {shift && (media.elsewhere || (!media.owner && ready)) ? (
        <div className={css.banner} data-tone="amber" role="status">
          <IconVolumeOff size={18} />
          <span>{t(media.elsewhere ? 'banner.elsewhere' : 'banner.otherTab')}</span>
          <Button size="compact-sm" variant="default" onClick={() => core.takeOver().catch(toastError)}>
            {t('banner.takeOver')}
          </Button>
        </div>
      ) : null}
      {media.ringBlocked ? (
        <div className={css.banner} data-tone="amber" role="alert">
          <IconVolumeOff size={18} />
          <span>{t('banner.ringBlocked')}</span>
          <Button size="compact-sm" variant="default" onClick={() => void core.unlock()}>
            {t('banner.soundOn')}
          </Button>
        </div>
      ) : null}
      {shift && media.problem ? (
        <div className={css.banner} data-tone="red" role="alert">
          <span>{t(`mic.${media.problem}.title`)}</span>
          <Button size="compact-sm" variant="default" component={Link} to="/shift">
            {t('banner.check')}
          </Button>
        </div>
      ) : null}
      {alerts.map((a) => (
        <div
          key={a.id}
          className={css.banner}
          data-tone={a.level === 'critical' ? 'red' : 'amber'}
          role="alert"
        >
          <span>{local(a.text)}</span>
          <Button size="compact-sm" variant="default" onClick={() => core.dismiss({ alert: a.id })}>
            {t('common.close')}
          </Button>
        </div>
      ))}
    </>
  );
}

/** An offer that went away says why, once. */
function useGoneNotice() {
  const { t } = useTranslation();
  const core = useCore();
  const gone = usePhone((s) => s.gone);
  useEffect(() => {
    if (!gone) return;
    const known = ['caller_left', 'timeout', 'moved'].includes(gone.why) ? gone.why : 'other';
    const key = gone.why === 'taken' ? (gone.by ? 'takenBy' : 'taken') : known;
    if (gone.why !== 'answered' && gone.why !== 'rejected')
      toast(t(`gone.${key}`, { who: gone.from, by: gone.by ?? '' }));
    core.dismiss({ gone: true });
  }, [gone, core, t]);
}

/** The tab's title tells of a call when the page is not in sight. */
function useTitle() {
  const { t } = useTranslation();
  const offer = usePhone((s) => s.offers[0]);
  const talking = usePhone((s) => s.calls[0]);
  useEffect(() => {
    const base = 'Hotline';
    if (offer) document.title = t('title.call', { who: offer.from_name || offer.from });
    else if (talking) document.title = t('title.talk', { who: talking.from_name || talking.from });
    else document.title = base;
  }, [offer, talking, t]);
}
