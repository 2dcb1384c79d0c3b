import { describe, expect, it } from 'vitest'
import { cell, csvRow } from './csv.ts'

describe('csv', () => {
  it('L13: a cell that a spreadsheet would run is text, whatever stands before the sign', () => {
    for (const formula of ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', ' =1', '\r\n=1', '＝1', '\u00a0=1', '|cmd', '%0a=1'])
      expect(cell(formula), formula).toMatch(/^"'/)
    for (const plain of ['', 'a=1', '2026-11-21', '/portcullis.v1.HubService/StartRun', '0']) {
      expect(cell(plain)).toBe(`"${plain}"`)
    }
  })

  it('L13: quotes and line ends stay inside their cell', () => {
    expect(cell('say "no",\nplease')).toBe('"say ""no"",\nplease"')
  })

  it('L13: a row has the fields of the entry, guarded', () => {
    const entryJson = JSON.stringify({
      body: { outcome: 'deny', code: 'x', method: 'm', reason: '=HYPERLINK("http://x")', caller: { id: 'agt_1' } },
    })
    const row = csvRow({
      log: 'main',
      seq: '7',
      ts: '2026-11-21T12:00:00Z',
      previousHash: 'p',
      recordHash: 'r',
      entryJson,
    })
    expect(row).toBe('"7","2026-11-21T12:00:00Z","deny","x","m","agt_1","","\'=HYPERLINK(""http://x"")","p","r"\r\n')
  })
})
