// The names of the DOM in the types of playwright-core. Scripts for a page are strings here: these tests run in Node.
interface Node { readonly nodeType: number }
interface HTMLElement extends Node { readonly tagName: string }
interface SVGElement extends Node { readonly tagName: string }
interface HTMLElementTagNameMap { a: HTMLElement }
