package queue

// Two indexed heaps, written out because their elements know their place: removing one costs O(log n).

func (p *pool) push(it poolItem) {
	p.items = append(p.items, it)
	it.m.pos = len(p.items) - 1
	p.up(it.m.pos)
	if p.openAt < 0 {
		p.openAt = len(p.q.open)
		p.q.open = append(p.q.open, openPool{p: p, profile: p.profile})
	}
	p.q.open[p.openAt].best = p.items[0]
}

func (p *pool) remove(i int) {
	last := len(p.items) - 1
	moved := p.items[last]
	p.items[last] = poolItem{}
	p.items = p.items[:last]
	if i < last {
		p.items[i] = moved
		moved.m.pos = i
		p.down(i)
		p.up(moved.m.pos)
	}
	if last > 0 {
		p.q.open[p.openAt].best = p.items[0]
		return
	}
	open, end := p.q.open, len(p.q.open)-1
	open[p.openAt] = open[end]
	open[p.openAt].p.openAt = p.openAt
	open[end] = openPool{}
	p.q.open, p.openAt = open[:end], -1
}

func (p *pool) up(i int) {
	for i > 0 {
		u := (i - 1) / 2
		if !p.items[i].before(&p.items[u]) {
			return
		}
		p.swap(i, u)
		i = u
	}
}

func (p *pool) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(p.items) {
			return
		}
		if c+1 < len(p.items) && p.items[c+1].before(&p.items[c]) {
			c++
		}
		if !p.items[c].before(&p.items[i]) {
			return
		}
		p.swap(i, c)
		i = c
	}
}

func (p *pool) swap(i, j int) {
	p.items[i], p.items[j] = p.items[j], p.items[i]
	p.items[i].m.pos, p.items[j].m.pos = i, j
}

func (l *line) push(c *caller) {
	l.heap = append(l.heap, c)
	c.pos = len(l.heap) - 1
	l.up(c.pos)
	if l.busyAt < 0 {
		l.busyAt = len(l.q.busy)
		l.q.busy = append(l.q.busy, busyLine{l: l})
	}
	l.show()
}

// show copies the first caller to where choices look.
func (l *line) show() {
	c := l.heap[0]
	b := &l.q.busy[l.busyAt]
	b.prio, b.eff, b.first = c.prio, c.eff, c
}

func (l *line) remove(c *caller) {
	i, last := c.pos, len(l.heap)-1
	moved := l.heap[last]
	l.heap[last] = nil
	l.heap = l.heap[:last]
	c.pos = -1
	if i < last {
		l.heap[i] = moved
		moved.pos = i
		l.down(i)
		l.up(moved.pos)
	}
	if last > 0 {
		l.show()
		return
	}
	busy, end := l.q.busy, len(l.q.busy)-1
	busy[l.busyAt] = busy[end]
	busy[l.busyAt].l.busyAt = l.busyAt
	busy[end] = busyLine{}
	l.q.busy, l.busyAt = busy[:end], -1
}

func (l *line) up(i int) {
	for i > 0 {
		u := (i - 1) / 2
		if !l.heap[i].before(l.heap[u]) {
			return
		}
		l.swap(i, u)
		i = u
	}
}

func (l *line) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(l.heap) {
			return
		}
		if c+1 < len(l.heap) && l.heap[c+1].before(l.heap[c]) {
			c++
		}
		if !l.heap[c].before(l.heap[i]) {
			return
		}
		l.swap(i, c)
		i = c
	}
}

func (l *line) swap(i, j int) {
	l.heap[i], l.heap[j] = l.heap[j], l.heap[i]
	l.heap[i].pos, l.heap[j].pos = i, j
}
