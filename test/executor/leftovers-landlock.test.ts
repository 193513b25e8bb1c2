// What commands leave behind in Landlock's sandbox.
import { testLeftovers } from '../helpers/leftovers.ts'

testLeftovers('landlock')
