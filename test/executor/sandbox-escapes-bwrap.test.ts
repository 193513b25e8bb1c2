// Attempts to get out of bwrap's sandbox, one for each work item, as root and as an ordinary user.
import { testEscapes } from '../helpers/escapes.ts'

testEscapes('bwrap')
