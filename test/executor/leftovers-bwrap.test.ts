// What commands leave behind in bwrap's sandbox.
import { testLeftovers } from '../helpers/leftovers.ts'

testLeftovers('bwrap')
