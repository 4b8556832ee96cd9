"""Evaluate a checkpoint of any task: ``python tools/test.py CONFIG CHECKPOINT``."""

from spikemm.apis import evaluate, evaluate_config, parse_test_args

if __name__ == '__main__':
    args = parse_test_args()
    evaluate(evaluate_config(args), args.out, args.out_item or 'pred')
