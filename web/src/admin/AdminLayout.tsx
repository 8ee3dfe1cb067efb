import { Link, Navigate, Outlet, useLocation } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import css from './admin.module.css';

const TABS = ['users', 'queues', 'trunks', 'flows', 'tokens'] as const;

export function AdminLayout() {
  const { t } = useTranslation();
  const { pathname } = useLocation();
  if (/^\/admin\/?$/.test(pathname)) return <Navigate to="/admin/users" replace />;
  return (
    <>
      <nav className={css.tabs} aria-label={t('nav.admin')}>
        {TABS.map((k) => (
          <Link key={k} to={`/admin/${k}`}>
            {t(`admin.nav.${k}`)}
          </Link>
        ))}
      </nav>
      <Outlet />
    </>
  );
}
