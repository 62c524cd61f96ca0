/** Building and finding elements. Text always enters as text. */

type Child = Node | string;
type Attributes = Record<string, string | number | boolean | null>;

/** An HTML element; an attribute that is false or null is left out, one that is true is bare. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return furnish(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function drawn<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** The element of this id, which the page's template holds. */
export function find<T extends Element = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no element with the id ${id}.`);
  return found as unknown as T;
}

/** Markup that the page itself wrote (MathML), as nodes. */
export function parsed(markup: string): Node {
  const { body } = new DOMParser().parseFromString(markup, "text/html");
  const fragment = document.createDocumentFragment();
  fragment.append(...body.childNodes);
  return document.adoptNode(fragment);
}

/** Writes text only where it differs: what is not touched costs no layout. */
export function write(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

function furnish<T extends Element>(node: T, attributes: Attributes, children: Child[]): T {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children);
  return node;
}
