package ivr_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"hotline/ivr"
	"hotline/ivr/demo"
)

// Example checks the demo company's menu and plays a call of it: Russian, ticket number 100009 (its last digit is the
// check digit), confirmed.
func Example() {
	dir, err := os.MkdirTemp("", "hotline")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	set := filepath.Join(dir, "ivr")
	if err := demo.WriteDemo(set); err != nil {
		fmt.Println(err)
		return
	}
	ivr.RunCommand(ivr.RunArgs{Dir: set, Flow: "hotline", From: "+79161234567", DTMF: "1 3 100009# 1",
		At: time.Date(2026, 11, 20, 14, 5, 0, 0, time.UTC)}, nil, os.Stdout)
	// Output:
	//   0s  Для разговора по-русски нажмите один. For English, press two.
	//   4s  Интернет — нажмите один. Счета и оплата — два. Если у вас есть номер заявки — три. Часы работы — четыре. Оператор — ноль. Назад — звёздочка.
	//   13.3s  Введите номер заявки и нажмите решётку.
	//   17.1s  Вы ввели
	//   17.1s  десять ноль ноль ноль девять
	//   17.1s  Верно — нажмите один. Ввести снова — два.
	//   22.3s  Соединяю с оператором. Разговор записывается.
	// [queue at q_support; results: timeout, full, no_agents; queue support]
}

// ExampleCheckCommand shows what an author sees: where, how bad, which rule, and how to mend it.
func ExampleCheckCommand() {
	dir, err := os.MkdirTemp("", "hotline")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{
		"routes.yaml":          "- {number: 100, flow: hello, fallback_queue: support}\n",
		"prompts/prompts.yaml": "hello: {en: Hello.}\n",
		"flows/hello.yaml": `flow: hello
grammar: 1
title: {en: Hello}
languages: [en]
timezone: UTC
entry: greet
globals: {on_error: bye}
nodes:
  greet: {do: [{say: helo}], next: by}
  bye: {end: completed}
`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			fmt.Println(err)
			return
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("exit code", ivr.CheckCommand(dir, "text", ivr.Options{Text: true}, os.Stdout))
	// Output:
	// flows/hello.yaml:9:22: error L020 the prompt "helo" is not in the catalogue [node greet] (did you mean "hello"?)
	// flows/hello.yaml:9:36: error L013 the node "by" does not exist [node greet] (did you mean "bye"?)
	// prompts/prompts.yaml:1:1: info L022 the prompt "hello" is never used (remove it, or use it)
	// routes.yaml:1:12: error L004 number is the unquoted number 100, which YAML may change (write "100")
	// 3 errors, 0 warnings, 1 notes
	// exit code 1
}
