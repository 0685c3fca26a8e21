import { Config } from './confg.ts'

export default Config
