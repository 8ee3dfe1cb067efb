import { createTheme, type MantineColorsTuple, type MantineThemeOverride } from '@mantine/core';

const petrol: MantineColorsTuple = [
  '#ecf6f8',
  '#d6eaee',
  '#abd5de',
  '#7dbfcd',
  '#57acbe',
  '#3d98ad',
  '#267f95',
  '#14647a',
  '#0f5364',
  '#0a4150',
];

/** The dark greys lean to blue, as the surfaces of global.css do. */
const dark: MantineColorsTuple = [
  '#dbe1e7',
  '#b9c3cd',
  '#8b97a3',
  '#63707d',
  '#3a4652',
  '#2f3a45',
  '#212930',
  '#1a2027',
  '#151a20',
  '#0f1317',
];

/** A list of options scrolls itself, so that it stays one widget for keyboard and screen reader. */
const list = {
  defaultProps: { withScrollArea: false, styles: { options: { maxHeight: 240, overflowY: 'auto' } } },
};

/** The look of everything. The words for closing and searching come in the user's language. */
export const makeTheme = (words: { close: string; search: string }): MantineThemeOverride =>
  createTheme({
    primaryColor: 'petrol',
    colors: { petrol, dark },
    primaryShade: { light: 7, dark: 6 },
    fontFamily: "'Inter Variable', system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
    fontFamilyMonospace: "ui-monospace, 'SF Mono', 'DejaVu Sans Mono', Menlo, monospace",
    defaultRadius: 'md',
    cursorType: 'pointer',
    fontSizes: { xs: '0.75rem', sm: '0.8438rem', md: '0.9375rem', lg: '1.0625rem', xl: '1.25rem' },
    headings: {
      fontWeight: '650',
      sizes: {
        h1: { fontSize: '1.375rem', lineHeight: '1.3' },
        h2: { fontSize: '1.125rem', lineHeight: '1.35' },
        h3: { fontSize: '0.9688rem', lineHeight: '1.4' },
      },
    },
    components: {
      Button: { defaultProps: { size: 'sm' } },
      TextInput: { defaultProps: { size: 'sm' } },
      Modal: {
        defaultProps: {
          centered: true,
          overlayProps: { backgroundOpacity: 0.45 },
          closeButtonProps: { 'aria-label': words.close },
        },
      },
      // Only the palette has no title of its own.
      ModalContent: { defaultProps: { 'aria-label': words.search } },
      Drawer: {
        defaultProps: {
          overlayProps: { backgroundOpacity: 0.4 },
          closeButtonProps: { 'aria-label': words.close },
        },
      },
      Select: list,
      MultiSelect: list,
      TagsInput: list,
      // Mantine dims the text below a title too much to be read easily.
      Notification: {
        defaultProps: { closeButtonProps: { 'aria-label': words.close } },
        styles: { description: { color: 'var(--mantine-color-text)' } },
      },
      Menu: { defaultProps: { shadow: 'md', withinPortal: true } },
      Tooltip: {
        defaultProps: { openDelay: 350, withArrow: true, events: { hover: true, focus: true, touch: false } },
      },
      ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray', size: 'lg' } },
    },
  });
