import tseslint from 'typescript-eslint'

/** @type {['error', { selector: string, message: string }]} */
const noDefaultExport = [
  'error',
  { selector: 'ExportDefaultDeclaration', message: 'Named exports only: a name is what readers search for.' },
]

const configurations = tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.s3move/'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-restricted-syntax': noDefaultExport,
      'no-console': 'error',
      'no-control-regex': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'exit', message: 'Only src/cli.ts ends the process.' },
        { object: 'Date', property: 'parse', message: 'It reads what names no zone in that of this machine: timeOf.' },
      ],
    },
  },
  { files: ['src/cli.ts', 'src/times.ts'], rules: { 'no-restricted-properties': 'off' } },
  {
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    files: ['**/*.mjs', '*.config.js', '*.config.ts'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { 'no-restricted-syntax': 'off', 'no-console': 'off' },
  },
)

export default configurations
