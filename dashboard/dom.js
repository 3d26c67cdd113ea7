// The only place that makes elements. Text becomes text nodes: nothing that the server sends is ever read as HTML.

/** @typedef {Node | string | null} Child */
/** @typedef {Readonly<Record<string, string | number | boolean | null | undefined>>} Attributes */

/**
 * An element with attributes and children. An attribute that is false, null or undefined is left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    element.setAttribute(name, value === true && !/^(data|aria)-/.test(name) ? '' : `${value}`);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/**
 * The element with this id. Throws where the page has none: a page and its modules are of one version.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

/**
 * Sets a text where it differs: an unchanged one is not announced, selected text stays selected.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A list of names and values, for figures that belong together.
 * @param {readonly (readonly [name: string, value: string, note?: string])[]} entries
 * @returns {HTMLDListElement}
 */
export function figures(entries) {
  return h('dl', { class: 'figures' }, ...entries.map(([name, value, note]) => h('div', {}, h('dt', {}, name), h('dd', {}, value, note === undefined ? null : h('small', {}, ` ${note}`)))));
}

/**
 * A time a machine can read too, with the full UTC time as its title.
 * @param {string} iso
 * @param {(at: string) => string} format
 * @returns {HTMLTimeElement}
 */
export const time = (iso, format) => h('time', { datetime: iso, title: iso }, format(iso));
