import { Menu, UnstyledButton, useMantineColorScheme } from '@mantine/core';
import {
  IconCheck,
  IconDeviceDesktop,
  IconKeyboard,
  IconLanguage,
  IconLogout,
  IconMoon,
  IconSettings,
  IconSun,
} from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { patch } from '~/api/client';
import { currentLang, LANGS, setLang } from '~/i18n';
import { Avatar } from '~/ui/bits';
import { toastError } from '~/ui/toast';
import { useApp } from './context';

const SCHEMES = [
  { key: 'auto', icon: IconDeviceDesktop },
  { key: 'light', icon: IconSun },
  { key: 'dark', icon: IconMoon },
] as const;

export function UserMenu() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const { me, core, signOut } = useApp();
  const navigate = useNavigate();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const lang = currentLang();
  const icon = { size: 18, stroke: 1.7 };
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <UnstyledButton
          aria-label={t('session.menu', { name: me.name })}
          style={{ borderRadius: '50%', padding: 3 }}
        >
          <Avatar name={me.name} size={34} />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {me.name} · {me.login}
        </Menu.Label>
        <Menu.Item
          leftSection={<IconSettings {...icon} />}
          onClick={() => void navigate({ to: '/settings' })}
        >
          {t('nav.settings')}
        </Menu.Item>
        <Menu.Item
          leftSection={<IconKeyboard {...icon} />}
          onClick={() => void navigate({ to: '/settings', hash: 'keys' })}
        >
          {t('settings.keys')}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Label>{t('settings.language')}</Menu.Label>
        {LANGS.map((l) => (
          <Menu.Item
            key={l.key}
            leftSection={<IconLanguage {...icon} />}
            rightSection={l.key === lang ? <IconCheck size={16} /> : null}
            onClick={() => {
              void setLang(l.key).then(() => {
                core.reconnect();
                return client.invalidateQueries(); // texts that the server makes
              });
              patch('/me', { locale: l.key }).catch(toastError);
            }}
          >
            {l.name}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Label>{t('settings.theme')}</Menu.Label>
        {SCHEMES.map(({ key, icon: Icon }) => (
          <Menu.Item
            key={key}
            leftSection={<Icon {...icon} />}
            rightSection={key === colorScheme ? <IconCheck size={16} /> : null}
            onClick={() => setColorScheme(key)}
          >
            {t(`settings.scheme.${key}`)}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout {...icon} />} onClick={signOut}>
          {t('session.signOut')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
