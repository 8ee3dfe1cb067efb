package say_test

import (
	"fmt"
	"time"

	"hotline/ivr/say"
)

func ExampleSayer_Count() {
	ru, _ := say.New("ru", nil)
	for _, n := range []float64{1, 2, 5, 11, 21, 1.5} {
		p, err := ru.Count(n, say.Options{Noun: "minute"})
		fmt.Println(p.Text(), err)
	}
	// Output:
	// одна минута <nil>
	// две минуты <nil>
	// пять минут <nil>
	// одиннадцать минут <nil>
	// двадцать одна минута <nil>
	// одна целая пять десятых минуты <nil>
}

func ExampleSayer_Duration() {
	en, _ := say.New("en", nil)
	p, err := en.Duration(1260*time.Second, 5*time.Minute, say.Nom)
	fmt.Println(p.Text(), err)
	// Output: twenty five minutes <nil>
}
