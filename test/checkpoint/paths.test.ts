import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { asset, packageRoot } from '../../runtime/paths.ts'

it('finds the package and what it ships', () => {
  expect(existsSync(join(packageRoot, 'package.json'))).toBe(true)
  expect(asset('models', 'mimo', 'nano', 'config.json')).toBe(join(packageRoot, 'models/mimo/nano/config.json'))
  expect(() => asset('no', 'such.file')).toThrow('the package does not contain no/such.file')
})
