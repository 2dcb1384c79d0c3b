import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressGroup } from './address-group.ts'

describe('what an address is counted under', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2:ffff::1', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['unknown', 'unknown'],
    ['no:address', 'no:address'],
    ['', ''],
  ])('G7: %s counts as %s', (address, group) => {
    expect(addressGroup(address)).toBe(group)
  })

  it('L14: whoever moves within a /64 stays one, and whoever leaves it is another', () => {
    const group = fc.integer({ min: 0, max: 0xffff })
    const eight = fc.tuple(group, group, group, group, group, group, group, group)
    fc.assert(
      fc.property(eight, eight, (one, other) => {
        // ::ffff:a.b.c.d is an IPv4 address and stands for itself.
        fc.pre(one.slice(0, 5).some((each) => each !== 0))
        const text = (groups: readonly number[]): string => groups.map((each) => each.toString(16)).join(':')
        const moved = [...one.slice(0, 4), ...other.slice(4)]
        expect(addressGroup(text(moved))).toBe(addressGroup(text(one)))
        const same = one.slice(0, 4).every((each, at) => each === other[at])
        if (other.slice(0, 5).some((each) => each !== 0))
          expect(addressGroup(text(one)) === addressGroup(text(other))).toBe(same)
      }),
    )
  })
})
