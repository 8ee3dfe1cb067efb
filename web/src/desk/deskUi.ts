// Open and closed parts of the telephone bar, shared by its buttons and its keys.

import { makeStore } from '~/lib/store';

export const deskUi = makeStore({ keypad: false, note: false, stateMenu: false });
