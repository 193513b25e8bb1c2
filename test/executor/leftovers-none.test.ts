// What commands leave behind in no sandbox.
import { testLeftovers } from '../helpers/leftovers.ts'

testLeftovers('none')
