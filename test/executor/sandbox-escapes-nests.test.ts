// Attempts to get out of sandboxes that are made in a nest, as root and as an ordinary user.
import { testEscapes } from '../helpers/escapes.ts'

testEscapes('bwrap', { nested: true })
