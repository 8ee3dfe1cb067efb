import {
  Button,
  Group,
  PasswordInput,
  SegmentedControl,
  Stack,
  Switch,
  useMantineColorScheme,
} from '@mantine/core';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useQueryClient } from '@tanstack/react-query';
import { patch, post } from '~/api/client';
import { explain } from '~/api/problems';
import type { Lang } from '~/api/types';
import { useCore } from '~/app/context';
import { PHONE_KEYS } from '~/desk/keys';
import { currentLang, LANGS, setLang } from '~/i18n';
import { zone } from '~/lib/format';
import { prefs, setPref } from '~/lib/prefs';
import { useStore } from '~/lib/store';
import { type DeviceList, listDevices } from '~/phone/devices';
import { DevicePicks, useAudioSettings } from '~/session/StartShift';
import { PageHead, uiCss } from '~/ui/bits';
import { toast, toastError } from '~/ui/toast';

const LIST_KEYS = [
  { keys: 'J / K', action: 'move' },
  { keys: '/', action: 'search' },
  { keys: 'N', action: 'noteTicket' },
  { keys: 'R', action: 'reply' },
  { keys: 'S', action: 'solve' },
  { keys: '1 – 6, N, 0', action: 'incoming' },
  { keys: 'Ctrl+Enter', action: 'send' },
];

export function SettingsPage() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const core = useCore();
  return (
    <div className={uiCss.page} style={{ maxWidth: 860 }}>
      <PageHead title={t('settings.title')} text={t('settings.zone', { zone: zone() })} />
      <section className={uiCss.card}>
        <div className={uiCss.cardHead}>
          <h2>{t('settings.look')}</h2>
        </div>
        <Group className={uiCss.cardBody} gap="xl">
          <div>
            <div style={{ fontSize: 13.5, fontWeight: 550, marginBottom: 6 }}>{t('settings.language')}</div>
            <SegmentedControl
              aria-label={t('settings.language')}
              value={currentLang()}
              onChange={(v) => {
                void setLang(v as Lang).then(() => {
                  core.reconnect();
                  return client.invalidateQueries(); // texts that the server makes
                });
                patch('/me', { locale: v }).catch(toastError);
              }}
              data={LANGS.map((l) => ({ value: l.key, label: l.name }))}
            />
          </div>
          <div>
            <div style={{ fontSize: 13.5, fontWeight: 550, marginBottom: 6 }}>{t('settings.theme')}</div>
            <SegmentedControl
              aria-label={t('settings.theme')}
              value={colorScheme}
              onChange={(v) => setColorScheme(v as 'auto' | 'light' | 'dark')}
              data={(['auto', 'light', 'dark'] as const).map((value) => ({
                value,
                label: t(`settings.scheme.${value}`),
              }))}
            />
          </div>
        </Group>
      </section>
      <Sound />
      <Keys />
      <Password />
    </div>
  );
}

function Sound() {
  const { t } = useTranslation();
  const core = useCore();
  const s = useAudioSettings();
  const [devices, setDevices] = useState<DeviceList>({ mics: [], outs: [] });
  useEffect(() => {
    void listDevices().then(setDevices);
  }, []);
  const switches = [
    'echoCancellation',
    'noiseSuppression',
    'autoGainControl',
    'keepOpen',
    'notifications',
  ] as const;
  return (
    <section className={uiCss.card}>
      <div className={uiCss.cardHead}>
        <h2>{t('settings.sound')}</h2>
      </div>
      <Stack className={uiCss.cardBody} gap="md">
        <DevicePicks devices={devices} />
        {switches.map((key) => (
          <Switch
            key={key}
            label={t(`settings.audio.${key}`)}
            description={t(`settings.audioHint.${key}`)}
            checked={s[key]}
            onChange={(e) => void core.changeSettings({ ...core.settings, [key]: e.currentTarget.checked })}
          />
        ))}
      </Stack>
    </section>
  );
}

function Keys() {
  const { t } = useTranslation();
  const { singleKeys } = useStore(prefs);
  const rows = [...PHONE_KEYS, ...LIST_KEYS];
  return (
    <section className={uiCss.card} id="keys">
      <div className={uiCss.cardHead}>
        <h2>{t('settings.keys')}</h2>
      </div>
      <div className={uiCss.cardBody}>
        <Switch
          label={t('settings.singleKeys')}
          description={t('settings.singleKeysHint')}
          checked={singleKeys}
          onChange={(e) => setPref({ singleKeys: e.currentTarget.checked })}
        />
        <dl style={{ columns: '260px 2', columnGap: 32, margin: '16px 0 0', fontSize: 13.5 }}>
          {rows.map((k) => (
            <div
              key={k.action}
              style={{
                display: 'flex',
                justifyContent: 'space-between',
                gap: 12,
                padding: '4px 0',
                breakInside: 'avoid',
              }}
            >
              <dt>{t(`keys.${k.action}`)}</dt>
              <dd style={{ margin: 0, whiteSpace: 'nowrap' }}>
                <kbd>{k.keys}</kbd>
              </dd>
            </div>
          ))}
        </dl>
      </div>
    </section>
  );
}

function Password() {
  const { t } = useTranslation();
  const [f, setF] = useState({ old: '', next: '' });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState('');
  const save = () => {
    setBusy(true);
    setError('');
    post('/me/password', { old: f.old, new: f.next })
      .then(() => {
        setF({ old: '', next: '' });
        toast(t('settings.passwordChanged'));
      })
      .catch((err: unknown) => setError(explain(err).title))
      .finally(() => setBusy(false));
  };
  return (
    <section className={uiCss.card}>
      <div className={uiCss.cardHead}>
        <h2>{t('settings.password')}</h2>
      </div>
      <form
        className={uiCss.cardBody}
        onSubmit={(e) => {
          e.preventDefault();
          save();
        }}
      >
        <Stack gap="md" maw={360}>
          <PasswordInput
            label={t('settings.oldPassword')}
            autoComplete="current-password"
            visibilityToggleButtonProps={{ 'aria-label': t('session.showPassword') }}
            value={f.old}
            error={error || undefined}
            onChange={(e) => setF({ ...f, old: e.currentTarget.value })}
          />
          <PasswordInput
            label={t('settings.newPassword')}
            description={t('settings.passwordHint')}
            autoComplete="new-password"
            visibilityToggleButtonProps={{ 'aria-label': t('session.showPassword') }}
            value={f.next}
            onChange={(e) => setF({ ...f, next: e.currentTarget.value })}
          />
          <Button
            type="submit"
            variant="default"
            loading={busy}
            disabled={!f.old || !f.next}
            style={{ alignSelf: 'flex-start' }}
          >
            {t('settings.changePassword')}
          </Button>
        </Stack>
      </form>
    </section>
  );
}
