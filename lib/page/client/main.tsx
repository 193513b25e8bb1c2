/**
 * The page: draws what the store has, and connects it to the client.
 */
import { render } from 'preact'
import { App } from './app.tsx'
import { connect } from './connection.ts'

render(<App />, document.body)
void connect()
// another link of the same client: another token
addEventListener('hashchange', () => { location.reload() })
