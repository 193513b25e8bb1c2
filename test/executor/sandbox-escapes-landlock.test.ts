// Attempts to get out of Landlock's sandbox, as root and as an ordinary user.
import { testEscapes } from '../helpers/escapes.ts'

testEscapes('landlock')
