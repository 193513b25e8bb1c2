/** Takes documents apart, so that tests can run what they tell people to run and follow where they point. */

/** What stands under one heading of the second level; what stands before the first one has the title ''. */
export interface Section { title: string, text: string }

/** A fenced block, such as a command and what it prints. */
export interface Block { language: string, text: string }

/** The sections in their order. */
export function sectionsOf (markdown: string): Section[] {
  const [intro = '', ...rest] = markdown.split(/^## /m)
  return [{ title: '', text: intro }, ...rest.map(text => ({ title: text.slice(0, text.indexOf('\n')), text }))]
}

/** The fenced blocks that say their language, in their order. */
export function blocksOf (markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language = '', text = '']) => ({ language, text }))
}

/** The texts of the blocks of one language. */
export function textsOf (markdown: string, language: string): string[] {
  return blocksOf(markdown).filter(block => block.language === language).map(({ text }) => text)
}

/** Where the links lead: `path`, `path#heading` or `#heading`, and addresses of other places. */
export function linksOf (markdown: string): string[] {
  return [...withoutBlocks(markdown).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
}

/** The anchors that headings get from those who show Markdown as pages. */
export function anchorsOf (markdown: string): string[] {
  return [...withoutBlocks(markdown).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-'))
}

function withoutBlocks (markdown: string): string {
  return markdown.replace(/^```[^]*?^```$/gm, '')
}

/** The tables below a heading of any level, each as rows of cells; the head of each is left out. */
export function tablesUnder (markdown: string, heading: string): string[][][] {
  const [, after = ''] = markdown.split(new RegExp(`^#+ ${heading.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`, 'm'))
  const section = after.split(/^#+ /m)[0]!
  return [...section.matchAll(/(?:^\|.*\|$\n?)+/gm)].map(([table]) => table.trim().split('\n').slice(2).map(cellsOf))
}

function cellsOf (row: string): string[] {
  return row.replaceAll('\\|', '\u0000').split('|').slice(1, -1).map(cell => cell.trim().replaceAll('\u0000', '|'))
}

/** The sentences outside of code blocks and tables that have a word in them, each on one line. */
export function sentencesWith (markdown: string, word: RegExp): string[] {
  const prose = withoutBlocks(markdown).replace(/^ {4}.*$/gm, '').replace(/^\|.*\|$/gm, '\n')
  const paragraphs = prose.split(/\n\n|\n(?=(?:\d+\.|-) )/).map(text => text.replace(/\s+/g, ' ').trim())
  return paragraphs.flatMap(text => text.split(/(?<=[.:;?!)]) (?=[A-Z`*("])/)).filter(sentence => word.test(sentence))
}
