import {
  Alert,
  Button,
  PasswordInput,
  SegmentedControl,
  Stack,
  TextInput,
  useMantineColorScheme,
} from '@mantine/core';
import { IconAlertCircle, IconInfoCircle } from '@tabler/icons-react';
import type { TFunction } from 'i18next';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, post } from '~/api/client';
import { explain, type Shown } from '~/api/problems';
import type { Lang, Me } from '~/api/types';
import { currentLang, LANGS, setLang } from '~/i18n';
import css from './session.module.css';

export function SignIn({ ended, onDone }: { ended: boolean; onDone: (me: Me) => void }) {
  const { t } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const [f, setF] = useState({ login: '', password: '' });
  const [error, setError] = useState<Shown | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = () => {
    setBusy(true);
    setError(null);
    post<{ agent: Me }>('/session', { login: f.login.trim(), password: f.password })
      .then((a) => onDone(a.agent))
      .catch((err: unknown) => {
        setError(signInError(err, t));
        setF((v) => ({ ...v, password: '' }));
      })
      .finally(() => setBusy(false));
  };
  return (
    <main className={css.signin}>
      <div className={css.box}>
        <div className={css.brand}>
          <img src="/favicon.svg" alt="" />
          Hotline
        </div>
        <form
          className={css.card}
          onSubmit={(e) => {
            e.preventDefault();
            submit();
          }}
        >
          <Stack gap="md">
            <div>
              <h1 style={{ margin: 0, fontSize: 20 }}>{t('session.title')}</h1>
              <p className="dim" style={{ margin: '4px 0 0', fontSize: 13.5 }}>
                {t('session.text')}
              </p>
            </div>
            {ended && !error ? (
              <Alert icon={<IconInfoCircle size={18} />} color="petrol" variant="light" p="sm">
                {t('session.ended')}
              </Alert>
            ) : null}
            {error ? (
              <Alert
                icon={<IconAlertCircle size={18} />}
                color="red"
                variant="light"
                p="sm"
                role="alert"
                title={error.title}
              >
                {error.detail}
              </Alert>
            ) : null}
            <TextInput
              label={t('session.login')}
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              autoFocus
              size="md"
              value={f.login}
              onChange={(e) => setF({ ...f, login: e.currentTarget.value })}
            />
            <PasswordInput
              label={t('session.password')}
              autoComplete="current-password"
              size="md"
              visibilityToggleButtonProps={{ 'aria-label': t('session.showPassword') }}
              value={f.password}
              onChange={(e) => setF({ ...f, password: e.currentTarget.value })}
            />
            <Button type="submit" size="md" loading={busy} disabled={!f.login.trim() || !f.password}>
              {t('session.signIn')}
            </Button>
          </Stack>
        </form>
        <div className={css.tools}>
          <SegmentedControl
            size="xs"
            aria-label={t('settings.language')}
            value={currentLang()}
            onChange={(v) => void setLang(v as Lang)}
            data={LANGS.map((l) => ({ value: l.key, label: l.name }))}
          />
          <SegmentedControl
            size="xs"
            aria-label={t('settings.theme')}
            value={colorScheme}
            onChange={(v) => setColorScheme(v as 'auto' | 'light' | 'dark')}
            data={(['auto', 'light', 'dark'] as const).map((value) => ({
              value,
              label: t(`settings.scheme.${value}`),
            }))}
          />
        </div>
      </div>
    </main>
  );
}

/** A wrong password, a locked account and a broken server are three different messages. */
function signInError(err: unknown, t: TFunction): Shown {
  if (err instanceof ApiError) {
    const minutes = Math.max(1, Math.ceil((err.body.retry_after ?? 60) / 60));
    if (err.status === 423 || err.code === 'locked' || err.code === 'account_locked') {
      return { title: t('session.locked'), detail: t('session.lockedText', { count: minutes }) };
    }
    if (err.status === 429)
      return { title: t('session.tooMany'), detail: t('session.lockedText', { count: minutes }) };
    if (err.status === 401) return { title: t('session.wrong'), detail: t('session.wrongText') };
    if (err.status === 403) return { title: t('session.inactive'), detail: t('session.inactiveText') };
  }
  return explain(err);
}
