-- AlterTable
ALTER TABLE "imports" ADD COLUMN     "worker_id" UUID;
