package queue

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// req is one skill with a level: what an agent has, or the least a call wants.
type req struct{ skill, level int32 }

// profile is a set of skills with levels that some agents share. Profiles are interned: few are distinct, and whether
// a profile can serve a need is computed once.
type profile struct {
	id   int
	have []req // sorted by skill
}

// need is a set of wanted skills that some calls share, interned too.
type need struct {
	want  []req
	score []int32 // by profile id: sum of the wanted skills' levels, or unable
}

const unable = int32(-1)

// scoreOf says how well the profile serves the need; unable: not at all.
func (n *need) scoreOf(p *profile) int32 {
	for len(n.score) <= p.id {
		n.score = append(n.score, unknownScore)
	}
	if n.score[p.id] == unknownScore {
		n.score[p.id] = match(p.have, n.want)
	}
	return n.score[p.id]
}

const unknownScore = int32(-2)

func match(have, want []req) int32 {
	sum, i := int32(0), 0
	for _, w := range want {
		for i < len(have) && have[i].skill < w.skill {
			i++
		}
		if i == len(have) || have[i].skill != w.skill || have[i].level < w.level {
			return unable
		}
		sum += have[i].level
	}
	return sum
}

// key sorts the skills and makes them a map key in scratch space. Levels below one are no skill at all.
func (s *state) key(skills map[string]int) {
	s.reqs, s.keyBytes = s.reqs[:0], s.keyBytes[:0]
	for name, level := range skills {
		if level < 1 {
			continue
		}
		id, ok := s.skills[name]
		if !ok {
			id = int32(len(s.skills))
			s.skills[name] = id
		}
		s.reqs = append(s.reqs, req{id, int32(min(level, 1<<20))})
	}
	slices.SortFunc(s.reqs, func(a, b req) int { return cmp.Compare(a.skill, b.skill) })
	for _, r := range s.reqs {
		s.keyBytes = binary.AppendUvarint(s.keyBytes, uint64(r.skill))
		s.keyBytes = binary.AppendUvarint(s.keyBytes, uint64(r.level))
	}
}

func (s *state) profileOf(skills map[string]int) *profile {
	s.key(skills)
	p := s.profiles[string(s.keyBytes)]
	if p == nil {
		p = &profile{id: len(s.profiles), have: slices.Clone(s.reqs)}
		s.profiles[string(s.keyBytes)] = p
	}
	return p
}

func (s *state) needOf(skills map[string]int) *need {
	s.key(skills)
	n := s.needs[string(s.keyBytes)]
	if n == nil {
		n = &need{want: slices.Clone(s.reqs)}
		s.needs[string(s.keyBytes)] = n
	}
	return n
}
