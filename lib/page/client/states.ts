/**
 * How the state of a piece looks: a colour of its own brightness and, where somebody should look, a hatch, so that
 * nobody needs to tell hues apart. Pure.
 */
import { PIECE_STATES } from '../piece-states.ts'
import type { PieceStateName } from '../piece-states.ts'

export const KINDS = PIECE_STATES.length

export type Hatch = 'none' | 'dots' | 'stripes' | 'cross'

/** `light` and `dark`: colour of the ground and of the hatch, `#rrggbb`. */
export interface Look { words: string, hatch: Hatch, light: [string, string], dark: [string, string] }

/** In the order of the legend, and of a column from the bottom up. */
export const LOOKS: Readonly<Record<PieceStateName, Look>> = {
  verified: { words: 'verified', hatch: 'none', light: ['#0e4d42', ''], dark: ['#b2f1da', ''] },
  own: { words: 'computed here', hatch: 'none', light: ['#1f7c68', ''], dark: ['#5ccbad', ''] },
  accepted: { words: 'accepted from others', hatch: 'none', light: ['#48a58d', ''], dark: ['#3a9a82', ''] },
  stored: { words: 'downloaded', hatch: 'none', light: ['#48a58d', ''], dark: ['#3a9a82', ''] },
  disputed: { words: 'to be checked', hatch: 'stripes', light: ['#8a3a86', '#ffffff'], dark: ['#d983d3', '#3a1038'] },
  running: { words: 'running here', hatch: 'stripes', light: ['#f4ae33', '#b26a00'], dark: ['#ffc453', '#a16500'] },
  claimed: { words: 'running elsewhere', hatch: 'dots', light: ['#c3b8ec', '#6a55b5'], dark: ['#54468f', '#c4b8ff'] },
  announced: { words: 'others have it', hatch: 'none', light: ['#a9c9f0', ''], dark: ['#2f5d96', ''] },
  waiting: { words: 'waiting for inputs', hatch: 'dots', light: ['#e3e7ed', '#7d8896'], dark: ['#2b333d', '#8390a0'] },
  missing: { words: 'missing', hatch: 'none', light: ['#e3e7ed', ''], dark: ['#2b333d', ''] },
  unwanted: { words: 'not wanted', hatch: 'stripes', light: ['#f6f7f9', '#ccd2da'], dark: ['#1b222a', '#3b4652'] },
  failed: { words: 'failed here', hatch: 'cross', light: ['#c9303e', '#ffffff'], dark: ['#ff6a6e', '#42060a'] }
}

/** Codes in the order of the legend. */
export const ORDER: readonly number[] = Object.keys(LOOKS).map(name => PIECE_STATES.indexOf(name as PieceStateName))

/** The name of a code; one that is not known is missing. */
export function stateName (code: number): PieceStateName { return PIECE_STATES[code] ?? 'missing' }
