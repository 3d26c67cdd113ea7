// Light or dark: the system's choice unless the reader made one, which this browser keeps.
import { byId } from './dom.js';

const KEY = 'wallet-sync.theme';

/** Wires the theme's select. `onChange` is also called when the system changes its own. @param {() => void} onChange */
export function wireTheme(onChange) {
  const select = /** @type {HTMLSelectElement} */ (byId('theme'));
  select.value = stored() ?? 'auto';
  const apply = () => {
    if (select.value === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = select.value;
    onChange();
  };
  select.addEventListener('change', () => {
    store(select.value);
    apply();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', onChange);
  apply();
}

/** Storage can be forbidden; then the choice lasts as long as the page. @returns {string | null} */
function stored() {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : null;
  } catch {
    return null;
  }
}

/** @param {string} value */
function store(value) {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // As above.
  }
}
