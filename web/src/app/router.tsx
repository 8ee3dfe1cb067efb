// Addresses of the pages. Each page is its own chunk, loaded when it is opened.

import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from '@tanstack/react-router';
import type { Me } from '~/api/types';
import { Loading } from '~/ui/bits';
import { can } from './context';
import { Crashed, NotFound } from './fallbacks';
import { Shell } from './Shell';

export interface DeskSearch {
  q?: string;
}

const root = createRootRouteWithContext<{ me: Me }>()({
  component: Shell,
  notFoundComponent: NotFound,
});

const index = createRoute({
  getParentRoute: () => root,
  path: '/',
  beforeLoad: ({ context }) => {
    if (can(context.me, 'admin.users') && !context.me.roles.includes('agent'))
      throw redirect({ to: '/admin/users' });
    if (can(context.me, 'live.read')) throw redirect({ to: '/live' });
    throw redirect({ to: '/desk/$view', params: { view: 'mine' } });
  },
});

const shift = createRoute({
  getParentRoute: () => root,
  path: '/shift',
  component: lazyRouteComponent(() => import('~/session/StartShift'), 'StartShift'),
});

const desk = createRoute({
  getParentRoute: () => root,
  path: '/desk/$view',
  validateSearch: (s: Record<string, unknown>): DeskSearch =>
    typeof s.q === 'string' && s.q ? { q: s.q } : {},
  component: lazyRouteComponent(() => import('~/desk/Desk'), 'Desk'),
});

const deskTicket = createRoute({
  getParentRoute: () => desk,
  path: '$number',
  component: lazyRouteComponent(() => import('~/desk/TicketPage'), 'TicketPage'),
});

const contacts = createRoute({
  getParentRoute: () => root,
  path: '/contacts',
  validateSearch: (s: Record<string, unknown>): DeskSearch =>
    typeof s.q === 'string' && s.q ? { q: s.q } : {},
  component: lazyRouteComponent(() => import('~/contacts/ContactsPage'), 'ContactsPage'),
});

const contact = createRoute({
  getParentRoute: () => root,
  path: '/contacts/$id',
  component: lazyRouteComponent(() => import('~/contacts/ContactPage'), 'ContactPage'),
});

const live = createRoute({
  getParentRoute: () => root,
  path: '/live',
  component: lazyRouteComponent(() => import('~/live/LiveBoard'), 'LiveBoard'),
});

const admin = createRoute({
  getParentRoute: () => root,
  path: '/admin',
  component: lazyRouteComponent(() => import('~/admin/AdminLayout'), 'AdminLayout'),
});

const adminUsers = createRoute({
  getParentRoute: () => admin,
  path: 'users',
  component: lazyRouteComponent(() => import('~/admin/Users'), 'UsersPage'),
});
const adminQueues = createRoute({
  getParentRoute: () => admin,
  path: 'queues',
  component: lazyRouteComponent(() => import('~/admin/Queues'), 'QueuesPage'),
});
const adminTrunks = createRoute({
  getParentRoute: () => admin,
  path: 'trunks',
  component: lazyRouteComponent(() => import('~/admin/Trunks'), 'TrunksPage'),
});
const adminFlows = createRoute({
  getParentRoute: () => admin,
  path: 'flows',
  component: lazyRouteComponent(() => import('~/admin/Flows'), 'FlowsPage'),
});
const adminTokens = createRoute({
  getParentRoute: () => admin,
  path: 'tokens',
  component: lazyRouteComponent(() => import('~/admin/Tokens'), 'TokensPage'),
});

const settings = createRoute({
  getParentRoute: () => root,
  path: '/settings',
  component: lazyRouteComponent(() => import('~/settings/SettingsPage'), 'SettingsPage'),
});

const tree = root.addChildren([
  index,
  shift,
  desk.addChildren([deskTicket]),
  contacts,
  contact,
  live,
  admin.addChildren([adminUsers, adminQueues, adminTrunks, adminFlows, adminTokens]),
  settings,
]);

export function makeRouter() {
  return createRouter({
    routeTree: tree,
    context: { me: undefined as unknown as Me },
    defaultPreload: 'intent',
    defaultPendingComponent: Loading,
    defaultErrorComponent: Crashed,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
