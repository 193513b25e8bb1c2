// echarts' own declarations need the DOM's; this is its bundle, which has none, as far as the benchmarks draw with it.
declare module 'echarts/dist/echarts.esm.mjs' {
  /** What a custom series is drawn with. */
  export interface RenderApi {
    value (dimension: number): number
    /** pixels of a point */
    coord (point: [x: number, y: number]): [x: number, y: number]
  }
  export interface Chart {
    setOption (option: Record<string, unknown>): void
    renderToSVGString (): string
    dispose (): void
  }
  export function init (
    dom: null, theme: null, options: { renderer: 'svg', ssr: true, width: number, height: number }
  ): Chart
}
